"""The local language model: admission, streaming, retries and deadlines around the worker."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from xnai.errors import (
    MODEL_CRASHED,
    MODEL_LOADING,
    XnaiError,
)
from xnai.llm.calibration.calibrator import Calibrator
from xnai.llm.calibration.choice import ORIGINAL, Findings, Speed, Tuning
from xnai.llm.calibration.subject import Loaded
from xnai.llm.deadline import AnswerDeadline
from xnai.llm.delivery import Delivery
from xnai.llm.engine.admission import Admission
from xnai.llm.engine.attempt import ATTEMPTS, Attempt, Shared
from xnai.llm.engine.counters import Counters
from xnai.llm.engine.estimates import Rates
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.loading import BuildSource, Loader
from xnai.llm.engine.prefix_files import PrefixFiles
from xnai.llm.engine.request import WorkerDiedError, WorkerRetiredError
from xnai.llm.engine.supervisor import Supervisor
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.instrumentation import LOCAL, Generation
from xnai.llm.ipc import CountPrompt, CountTexts, TokenCounts
from xnai.llm.protocol import (
    Capabilities,
    Completion,
    CompletionEvent,
    EndpointStatus,
    Finished,
    Lease,
    ModelInfo,
    ModelStatus,
    Queued,
)
from xnai.observability import metrics
from xnai.settings import Settings
from xnai.types import Message


class LocalEngine:
    """``xnai.llm.protocol.LanguageModel`` on this machine.

    Args:
        settings: model, folders, context, slots, threads, queue_limit, idle_unload, answer_timeout.
        build: makes sure that the engine is installed.
        options: how workers are started and watched.

    """

    def __init__(
        self, settings: Settings, build: BuildSource, options: WorkerOptions | None = None
    ) -> None:
        self._settings = settings
        self._files = ModelFiles(settings)
        self.counters = Counters()
        options = options or WorkerOptions()
        prefixes = PrefixFiles(settings.data_dir, settings.prefix_cache_mb)
        self._loader = Loader(settings, self._files, options, prefixes)
        self._supervisor = Supervisor(settings, build, self._files, self._loader, self.counters)
        self._rates = Rates()
        # Until a worker has said how many it serves, questions come one by one.
        self._admission = Admission(settings.queue_limit, self._rates)
        self._supervisor.on_ready = self._loaded
        self._calibrator = Calibrator(
            settings, self._files, options, current=self._unused_model, apply=self._measured
        )
        self._shared = Shared(self._admission, self._rates, self._supervisor)
        self._switching = asyncio.Lock()
        self._run: tuple[str, ...] = ()  # how the model is run, as the figures have it

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        return replace(self._supervisor.status, running=self.running, waiting=self.waiting)

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens; 0 while unknown."""
        return self._supervisor.about.context

    @property
    def parameters(self) -> int:
        """Number of weights of the model in use; 0 while unknown."""
        return self._supervisor.about.parameters

    @property
    def capabilities(self) -> Capabilities:
        """All that llama.cpp gives of a text model."""
        return Capabilities(logprobs=True, grammars=True, local=True, tokenizer=True, states=True)

    @property
    def endpoints(self) -> list[EndpointStatus]:
        """None: answers are made here."""
        return []

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

    def _loaded(self, slots: int) -> None:
        self._expect(self._loader.speed)
        if self._run:
            metrics.model_run.labels(*self._run).set(0)
        self._run = self._loader.run
        metrics.model_run.labels(*self._run).set(1)
        self._admission.resize(slots)

    def _expect(self, speed: Speed | None) -> None:
        if speed is not None:
            self._rates.expect(speed.read, speed.write)
            metrics.model_speed.labels("read").set(speed.read)
            metrics.model_speed.labels("write").set(speed.write)

    def _unused_model(self) -> Loaded | None:
        """The model that is loaded and that nobody asks."""
        status = self._supervisor.status
        is_unused = status.state == "ready" and not (status.idle or self.running or self.waiting)
        file = self._supervisor.file
        return Loaded(file, self._supervisor.about.gpu_layers) if file and is_unused else None

    async def _measured(self, file: ModelFile, findings: Findings) -> None:
        self._expect(findings.speed(findings.copy))
        if findings.copy == ORIGINAL and findings.tuning == Tuning():
            return  # it runs so already
        async with self._switching, self._admission.hold():
            if self._uses(file):
                await self._supervisor.switch(file)

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

    async def ensure_ready(self, deadline: float) -> Lease:
        """Load the model if it is not; any number of callers load it once.

        Raises:
            XnaiError: it is being prepared, is down, or did not load in time.

        """
        self._shared.check_open()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._supervisor.worker()
        except TimeoutError as exc:
            raise XnaiError(MODEL_LOADING) from exc
        return Lease(self)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer.

        Raises:
            XnaiError: QUEUE_FULL, MODEL_PREPARING, MODEL_DOWN, MODEL_CRASHED, QUESTION_TOO_LONG,
                ANSWER_TIMEOUT, SHUTTING_DOWN, or what is wrong with the model's file.

        """
        self._shared.check_open()
        self._calibrator.disturb()
        self._supervisor.check()
        with Generation(LOCAL, self._supervisor.status.name, completion) as generation:
            attempt = Attempt(completion, self._shared)
            try:
                while place := await attempt.next_place():
                    yield Queued(place.position, place.eta_seconds)
                generation.turn()
                while True:
                    event = await attempt.next_event()
                    generation.see(event)
                    yield event
                    if isinstance(event, Finished):
                        return
            finally:
                await attempt.close()
                generation.worked(attempt.figures)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        given = tuple(texts)
        return await self._count(lambda number: CountTexts(number, given)) if given else []

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        given = tuple(messages)
        return (await self._count(lambda number: CountPrompt(number, given)))[0]

    async def start(self) -> None:
        """Begin preparing and loading in the background; returns at once."""
        self._shared.check_open()
        self._supervisor.start()
        if self._settings.calibration:
            self._calibrator.start()

    async def close(self) -> None:
        """Stop everything that was started; open answers end with ``SHUTTING_DOWN``."""
        self._shared.closing = True
        self._admission.close()
        await self._calibrator.close()
        await self._supervisor.close()

    async def _count(self, make: Callable[[int], CountTexts | CountPrompt]) -> list[int]:
        deadline = AnswerDeadline(time.monotonic() + self._settings.answer_timeout)
        delivery = Delivery(None)
        while True:
            self._shared.check_open()
            worker = await deadline.limit(self._supervisor.worker())
            try:
                frame = await deadline.limit(worker.request(make, timed=True).next())
                return list(frame.counts) if isinstance(frame, TokenCounts) else []
            except WorkerRetiredError:
                continue
            except WorkerDiedError as exc:
                error = self._shared.explain(exc, shown=False)
                curable = error.kind is MODEL_CRASHED
                delivery.failed(error, curable=curable, attempts=ATTEMPTS)
