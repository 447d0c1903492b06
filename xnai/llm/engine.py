"""The local language model: admission, streaming, retries and deadlines around the worker."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace

import structlog

from xnai.errors import MODEL_CRASHED, MODEL_LOADING, SHUTTING_DOWN, XnaiError
from xnai.llm.admission import Admission, Place
from xnai.llm.counters import Counters
from xnai.llm.deadline import Deadline
from xnai.llm.errand import Errand
from xnai.llm.files import ModelFile, ModelFiles
from xnai.llm.generation import LOCAL, Generation
from xnai.llm.launch import WorkerOptions
from xnai.llm.loading import EngineBuild, Loader
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    Finished,
    ModelInfo,
    ModelStatus,
    Queued,
    TokenText,
)
from xnai.llm.rates import Rates, Work
from xnai.llm.request import Request, WorkerDiedError, WorkerRetiredError
from xnai.llm.supervisor import Supervisor
from xnai.llm.wire import event as read_event
from xnai.llm.wire import job
from xnai.settings import Settings
from xnai.telemetry import metrics
from xnai.types import Message

ATTEMPTS = 2  # an answer of which nothing was shown is tried once more

_log = structlog.get_logger(__name__)


class LocalEngine:
    """``xnai.llm.protocol.LanguageModel`` on this machine.

    Args:
        settings: model, folders, context, slots, threads, queue_limit, idle_unload, answer_timeout.
        build: makes sure that the engine is installed.
        options: how workers are started and watched.

    """

    def __init__(
        self, settings: Settings, build: EngineBuild, options: WorkerOptions | None = None
    ) -> None:
        self._settings = settings
        self._files = ModelFiles(settings)
        self.counters = Counters()
        loader = Loader(settings, self._files, options or WorkerOptions())
        self._supervisor = Supervisor(settings, build, self._files, loader, self.counters)
        self._rates = Rates()
        # Until a worker has said how many it serves, questions come one by one.
        self._admission = Admission(settings.queue_limit, self._rates)
        self._supervisor.on_ready = self._admission.resize
        self._trial = asyncio.Lock()
        self._switching = asyncio.Lock()
        self._closing = False

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        return replace(self._supervisor.status, running=self.running, waiting=self.waiting)

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens; 0 while unknown."""
        return self._supervisor.context

    @property
    def parameters(self) -> int:
        """Number of weights of the model in use; 0 while unknown."""
        return self._supervisor.parameters

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return self._admission.waiting

    @property
    def running(self) -> int:
        """How many requests have their turn."""
        return self._admission.running

    @property
    def slots(self) -> int:
        """How many requests may have their turn at once."""
        return self._admission.slots

    @property
    def worker_pid(self) -> int | None:
        """The process id of the worker that answers now."""
        return self._supervisor.worker_pid

    def on_load(self, hook: Callable[[], None]) -> None:
        """Have ``hook`` called after every load of a model."""
        self._supervisor.on_load = hook

    def models(self) -> list[ModelInfo]:
        """The models that can be chosen, the one in use first."""
        current = self.status.name
        files = sorted(self._files.available(), key=lambda file: file.name != current)
        return [self._info(file, in_use=file.name == current) for file in files]

    def _info(self, file: ModelFile, *, in_use: bool) -> ModelInfo:
        try:
            size = file.path.stat().st_size
        except OSError:
            size = 0
        context = self.context_tokens if in_use else 0
        parameters = self.parameters if in_use else 0
        return ModelInfo(file.name, str(file.path), size, context, file.bundled, parameters)

    async def use(self, name: str) -> None:
        """Choose another model; the current one answers what it has begun.

        Raises:
            XnaiError: there is none of that name, or it cannot be loaded; the former one stays.

        """
        file = await asyncio.to_thread(self._files.find, name)
        if self._uses(file):
            return
        await asyncio.to_thread(self._files.inspect, file)
        async with self._switching, self._admission.hold():
            if not self._uses(file):
                await self._supervisor.switch(file)

    def _uses(self, file: ModelFile) -> bool:
        status = self._supervisor.status
        return file.name == status.name and status.state == "ready"

    async def ensure_ready(self, deadline: float) -> None:
        """Load the model if it is not; any number of callers load it once.

        Raises:
            XnaiError: it is being prepared, is down, or did not load in time.

        """
        self._check_open()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._supervisor.worker()
        except TimeoutError as exc:
            raise XnaiError(MODEL_LOADING) from exc

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer.

        Raises:
            XnaiError: QUEUE_FULL, MODEL_PREPARING, MODEL_DOWN, MODEL_CRASHED, QUESTION_TOO_LONG,
                ANSWER_TIMEOUT, SHUTTING_DOWN, or what is wrong with the model's file.

        """
        self._check_open()
        self._supervisor.check()
        characters = sum(len(message.content) for message in completion.messages)
        work = Work(characters, completion.sampling.max_tokens)
        with Generation(LOCAL, self._supervisor.status.name, completion) as generation:
            ticket = self._admission.join(completion.user, work)
            errand = Errand(self._admission, ticket, self._rates, Deadline(completion.deadline))
            try:
                async with aclosing(self._queue(errand)) as places:
                    async for place in places:
                        yield Queued(place.position, place.eta_seconds)
                generation.turn()
                async with aclosing(self._attempts(errand, completion)) as events:
                    async for event in events:
                        generation.see(event)
                        yield event
            finally:
                await errand.close()
                generation.worked(errand.figures)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        return await self._count("count", texts=list(texts)) if texts else []

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        return (await self._count("count_prompt", messages=[asdict(m) for m in messages]))[0]

    async def start(self) -> None:
        """Begin preparing and loading in the background; returns at once."""
        self._check_open()
        self._supervisor.start()

    async def close(self) -> None:
        """Stop everything that was started; open answers end with ``SHUTTING_DOWN``."""
        self._closing = True
        self._admission.close()
        await self._supervisor.close()

    async def _queue(self, errand: Errand) -> AsyncGenerator[Place, None]:
        """The places on the way to the turn: whenever the position or the estimate changes."""
        ticket, told = errand.ticket, None
        begun = time.monotonic()
        while (place := self._admission.place(ticket)).position:
            seconds = place.eta_seconds
            words = place.position, None if seconds is None else math.ceil(seconds)
            if words != told:
                told = words
                yield place
            await errand.deadline.limit(self._admission.moved(ticket))
        metrics.queue_wait_seconds.observe(time.monotonic() - begun)

    async def _attempts(
        self, errand: Errand, completion: Completion
    ) -> AsyncGenerator[CompletionEvent, None]:
        """The answer; begun once more if a worker dies before it has shown any of it."""
        deaths, shown = 0, False
        while True:
            self._check_open()
            if deaths:
                await errand.wait_for_trial(self._trial)
            worker = await errand.deadline.limit(self._supervisor.worker(patient=True))
            errand.deadline.check()
            try:
                request = worker.request("complete", timed=False, **job(completion))
            except WorkerDiedError:
                continue  # it never had the request
            errand.begin(worker, request)
            try:
                async with aclosing(self._events(errand, request)) as events:
                    async for event in events:
                        shown = shown or isinstance(event, TokenText)
                        yield event
            except WorkerDiedError as exc:
                deaths += 1
                self._explain_death(exc, final=shown or deaths == ATTEMPTS)
            else:
                return

    async def _events(
        self, errand: Errand, request: Request
    ) -> AsyncGenerator[CompletionEvent, None]:
        while True:
            frame = await errand.deadline.limit(request.next())
            if frame["type"] == "cancelled":
                raise errand.deadline.error
            event = read_event(frame)
            if isinstance(event, Finished):
                self._supervisor.answered()
                yield event
                return
            yield event

    async def _count(self, op: str, **fields: object) -> list[int]:
        deadline = Deadline(time.monotonic() + self._settings.answer_timeout)
        deaths = 0
        while True:
            self._check_open()
            worker = await deadline.limit(self._supervisor.worker())
            try:
                request = worker.request(op, timed=True, **fields)
                return [int(count) for count in (await deadline.limit(request.next()))["counts"]]
            except WorkerRetiredError:
                continue
            except WorkerDiedError as exc:
                deaths += 1
                self._explain_death(exc, final=deaths == ATTEMPTS)

    def _check_open(self) -> None:
        if self._closing:
            raise XnaiError(SHUTTING_DOWN)

    def _explain_death(self, exc: WorkerDiedError, *, final: bool) -> None:
        self._check_open()
        if final:
            wait = self._supervisor.status.retry_in or 1.0
            raise XnaiError(MODEL_CRASHED, retry_after=wait, reason=str(exc)) from exc
        _log.info("request_retried", cause=exc.death.cause)
