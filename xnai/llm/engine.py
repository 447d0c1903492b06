"""The local language model: admission, streaming, retries and deadlines around the worker."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

import structlog

from xnai.errors import (
    ANSWER_TIMEOUT,
    MODEL_CRASHED,
    MODEL_DOWN,
    SHUTTING_DOWN,
    XnaiError,
)
from xnai.llm.files import ModelFile, ModelFiles
from xnai.llm.frames import Frame
from xnai.llm.loading import EngineBuild
from xnai.llm.process import HANG_SECONDS, WorkerDiedError
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    Finished,
    ModelInfo,
    ModelStatus,
    Prefill,
    Queued,
    TokenText,
)
from xnai.llm.supervisor import Counters, Supervisor
from xnai.llm.turns import Rates, Ticket, Turns, Work
from xnai.settings import Settings
from xnai.types import Message, Usage

ATTEMPTS = 2  # an answer of which nothing was shown is tried once more

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class LocalEngine:
    """``xnai.llm.protocol.LanguageModel`` on this machine.

    Args:
        settings: model, folders, context, threads, queue_limit, answer_timeout.
        build: makes sure that the engine is installed.
        hang_seconds: silence after which a worker is taken to hang.

    """

    def __init__(
        self, settings: Settings, build: EngineBuild, *, hang_seconds: float = HANG_SECONDS
    ) -> None:
        self._settings = settings
        self._files = ModelFiles(settings)
        self._supervisor = Supervisor(settings, build, self._files, hang_seconds)
        self._rates = Rates()
        self._turns = Turns(settings.queue_limit, self._rates)
        self._closing = False

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        return self._supervisor.status

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens; 0 while unknown."""
        return self._supervisor.context

    @property
    def parameters(self) -> int:
        """Number of weights of the model in use; 0 while unknown."""
        return self._supervisor.parameters

    @property
    def counters(self) -> Counters:
        """Loads, restarts and tokens since the start."""
        return self._supervisor.counters

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return self._turns.waiting

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
        return ModelInfo(file.name, str(file.path), size, context, file.bundled)

    async def use(self, name: str) -> None:
        """Choose another model; the current one answers what it has begun.

        Raises:
            XnaiError: there is none of that name, or it cannot be loaded; the former one stays.

        """
        file = await asyncio.to_thread(self._files.find, name)
        if file.name == self.status.name and self.status.state == "ready":
            return
        await asyncio.to_thread(self._files.inspect, file)
        with self._turns.join(Work(), first=True) as ticket:
            while self._turns.position(ticket):
                await self._turns.wait_move(ticket)
            await self._supervisor.switch(file)

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
            raise XnaiError(MODEL_DOWN, reason="it is still being loaded") from exc

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer.

        Raises:
            XnaiError: QUEUE_FULL, MODEL_PREPARING, MODEL_DOWN, MODEL_CRASHED, QUESTION_TOO_LONG,
                ANSWER_TIMEOUT, SHUTTING_DOWN, or what is wrong with the model's file.

        """
        clock = _Clock(completion.deadline)
        self._check_open()
        self._supervisor.check()
        characters = sum(len(message.content) for message in completion.messages)
        with self._turns.join(Work(characters, completion.sampling.max_tokens)) as ticket:
            while position := self._turns.position(ticket):
                yield Queued(position, self._turns.eta(ticket))
                await self._moved(ticket, position, clock)
            shown = False
            for attempt in range(1, ATTEMPTS + 1):
                worker = await clock.limit(self._supervisor.worker())
                try:
                    request = await worker.request("complete", timed=False, **_job(completion))
                    try:
                        while True:
                            frame = await clock.limit(request.next())
                            event = _event(frame)
                            if isinstance(event, Finished):
                                self._rates.observe(ticket.work, frame)
                                self._supervisor.answered()
                            shown = shown or isinstance(event, TokenText)
                            yield event
                            if isinstance(event, Finished):
                                return
                    finally:
                        worker.cancel(request)
                except WorkerDiedError as exc:
                    self._explain_death(exc, final=shown or attempt == ATTEMPTS)

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
        self._turns.close()
        await self._supervisor.close()

    async def _moved(self, ticket: Ticket, position: int, clock: "_Clock") -> None:
        while self._turns.position(ticket) == position:
            await clock.limit(self._turns.wait_move(ticket))

    async def _count(self, op: str, **fields: object) -> list[int]:
        clock = _Clock(time.monotonic() + self._settings.answer_timeout)
        self._check_open()
        for attempt in range(1, ATTEMPTS + 1):
            worker = await clock.limit(self._supervisor.worker())
            try:
                request = await worker.request(op, timed=True, **fields)
                return [int(count) for count in (await clock.limit(request.next()))["counts"]]
            except WorkerDiedError as exc:
                self._explain_death(exc, final=attempt == ATTEMPTS)
        raise AssertionError

    def _check_open(self) -> None:
        if self._closing:
            raise XnaiError(SHUTTING_DOWN)

    def _explain_death(self, exc: WorkerDiedError, *, final: bool) -> None:
        self._check_open()
        if final:
            raise XnaiError(MODEL_CRASHED, retry_after=1.0, reason=str(exc)) from exc
        _log.info("request_retried", reason=str(exc))


class _Clock:
    """Ends every wait at one deadline, which is a time of ``time.monotonic()``."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._allowed = max(0.0, deadline - time.monotonic())

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Wait, but not past the deadline.

        Raises:
            XnaiError: ANSWER_TIMEOUT.

        """
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                return await awaitable
        except TimeoutError as exc:
            raise XnaiError(ANSWER_TIMEOUT, seconds=self._allowed) from exc


def _job(completion: Completion) -> dict[str, object]:
    return {
        "messages": [asdict(message) for message in completion.messages],
        "sampling": asdict(completion.sampling),
    }


def _event(frame: Frame) -> CompletionEvent:
    if frame["type"] == "prefill":
        return Prefill(int(frame["done"]), int(frame["total"]))
    if frame["type"] == "text":
        return TokenText(str(frame["text"]))
    usage = Usage(int(frame["prompt_tokens"]), int(frame["completion_tokens"]))
    return Finished(frame["reason"], usage)
