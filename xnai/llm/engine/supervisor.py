"""Keeps one worker running: prepares the engine, loads once, restarts, unloads, explains."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from xnai.errors import (
    INTERNAL,
    MODEL_DOWN,
    MODEL_PREPARING,
    MODEL_UNSUPPORTED,
    SHUTTING_DOWN,
    XnaiError,
)
from xnai.llm.engine.backoff import Restarts
from xnai.llm.engine.counters import Counters
from xnai.llm.engine.launch import Death
from xnai.llm.engine.loading import BuildSource, Loader
from xnai.llm.engine.preparation import Preparation
from xnai.llm.engine.process import WorkerProcess
from xnai.llm.engine.request import WorkerDiedError, words_of
from xnai.llm.engine.single_flight import SingleFlight
from xnai.llm.engine.status import EngineState, Switch, with_gpu
from xnai.llm.gguf.catalogue import BUNDLED_ALIAS, BUNDLED_NAME, ModelFile, ModelFiles
from xnai.llm.ipc import Ready
from xnai.llm.protocol import ModelStatus
from xnai.settings import Settings

_log = structlog.get_logger(__name__)


class Supervisor:
    """The only one that starts workers; one task does it all, so that loads never overlap.

    Args:
        settings: model, idle_unload.
        build: makes sure that the engine is there.
        files: the models there are.
        loader: starts workers.
        counters: counts loads and deaths.

    """

    def __init__(
        self,
        settings: Settings,
        build: BuildSource,
        files: ModelFiles,
        loader: Loader,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._build = build
        self._files = files
        self._loader = loader
        self._counters = counters
        self.on_load: Callable[[], None] = lambda: None
        self.on_ready: Callable[[int], None] = lambda _: None
        self.about = Ready(context=0, parameters=0, slots=1)  # the model that was loaded last
        self.file: ModelFile | None = None
        self._state = EngineState("loading" if build.installed else "preparing")
        self._restarts = Restarts()
        self._kick = asyncio.Event()
        self._flight = SingleFlight()
        self._preparation = Preparation(build, self._state, self._flight, self._restarts)
        self._switch: Switch | None = None
        self._worker: WorkerProcess | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> ModelStatus:
        """How the model is doing."""
        return with_gpu(self._state.status(self._name, self._build), self.about)

    @property
    def _name(self) -> str:
        if self.file is not None:
            return self.file.name
        named = Path(self._settings.model).name
        return BUNDLED_NAME if named in {"", BUNDLED_ALIAS} else named

    @property
    def worker_pid(self) -> int | None:
        """The process id of the running worker."""
        return None if self._worker is None else self._worker.pid

    def start(self) -> None:
        """Begin to prepare and load; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="model-supervisor")

    def check(self) -> None:
        """Raise what ``worker`` would raise without waiting.

        Raises:
            XnaiError: MODEL_PREPARING, ENGINE_BUILD_FAILED, MODEL_DOWN.

        """
        if self._state.name == "preparing":
            eta = self._build.eta_seconds
            raise XnaiError(MODEL_PREPARING, retry_after=eta, detail=self._build.detail)
        if self._build.error is not None and not self._build.installed:
            raise self._build.error
        error, wait = self._state.error, self._state.retry_in
        if error is not None and wait:
            raise XnaiError(error.kind, retry_after=wait, **error.values)

    async def worker(self, *, patient: bool = False) -> WorkerProcess:
        """The running worker; waits while it loads, and has a bad file looked at again.

        Args:
            patient: sit out the pauses between restarts, as who was in line before the death does.

        Raises:
            XnaiError: as ``check``, and whatever is wrong with the file.

        """
        while True:
            if not (patient and self._state.comes_back):
                self.check()
            if self._state.waits_for_a_question:
                self._kick.set()
            try:
                return await self._flight.outcome()
            except XnaiError:
                if not (patient and self._state.comes_back):
                    raise

    async def switch(self, file: ModelFile) -> None:
        """Load another model instead; if that fails, the former one is loaded again.

        Raises:
            XnaiError: what is wrong with the file.

        """
        if self._state.name == "preparing" or self._task is None:
            self.file = file
            return
        self._switch = Switch(file, asyncio.get_running_loop().create_future())
        self._kick.set()
        await asyncio.shield(self._switch.done)

    def answered(self) -> None:
        """Note that the worker does its work: the next restart comes at once."""
        self._preparation.early.answered()
        self._restarts.answered()

    async def close(self) -> None:
        """Stop the worker and all that was begun."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        closing = XnaiError(SHUTTING_DOWN)
        self._state.become("down", closing)  # nobody need be patient any more
        self._flight.failed(closing)
        if self._switch is not None and not self._switch.done.done():
            self._switch.done.set_exception(closing)

    async def _run(self) -> None:
        if not await self._preparation.first():
            return
        while True:
            delay = await self._cycle()
            is_bundled = self.file is None or self.file.bundled
            if not await self._preparation.again(certain=is_bundled):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._kick.wait()

    async def _cycle(self) -> float | None:
        """Load, and serve to the end; returns the seconds to wait, None for the next wish."""
        switch, self._switch, former = self._switch, None, self.file
        if switch is not None:
            self.file = switch.file
        self._kick.clear()
        self._state.become("loading")
        try:
            worker = await self._load()
        except (XnaiError, WorkerDiedError, OSError) as exc:
            if switch is None:
                return self._not_loaded(exc)
            self.file = former
            reason = XnaiError(MODEL_UNSUPPORTED, name=switch.file.name, reason=words_of(exc))
            switch.done.set_exception(exc if isinstance(exc, XnaiError) else reason)
            return 0
        except Exception:  # noqa: BLE001 - the next question must find someone at home
            _log.exception("model_load_failed")
            self._failed(XnaiError(INTERNAL))
            return None
        if switch is not None:
            switch.done.set_result(None)
        return await self._serve(worker)

    async def _serve(self, worker: WorkerProcess) -> float | None:
        self._worker = worker
        self._preparation.early.started()
        self.about = worker.about
        self._restarts.started()
        self._state.become("ready")
        self.on_ready(worker.about.slots)
        self._flight.landed(worker)
        idle = False
        try:
            idle = await self._watch(worker)
        finally:
            worker.retire()
            self._worker = None
            self._state.become("ready" if idle else "loading", idle=idle)
            self._flight.over()
            await worker.stop("it was stopped")
        if idle:
            _log.info("model_unloaded", model=self._name, idle_seconds=self._settings.idle_unload)
            return None
        if self._switch is not None:
            return 0
        death = worker.dead.result()
        if death.cause != "stopped":
            self._counters.died(death.cause)
            self._spare_gpu(death)
        return 0 if death.cause == "stopped" else self._crashed(death)

    def _spare_gpu(self, death: Death) -> None:
        """Have fewer layers on a GPU where a worker died of its first answer, for lack of room."""
        used = self.about.gpu_layers
        if (
            used
            and death.cause in {"exit", "abort", "segfault"}
            and self._preparation.early.awaited
        ):
            fewer = self._loader.lessen_gpu_layers(used)
            _log.warning("gpu_layers_lessened", layers=used, now=fewer, reason=death.words)

    async def _watch(self, worker: WorkerProcess) -> bool:
        """Wait until the worker dies or is to stop; True if that is because nobody asks it."""
        limit = self._settings.idle_unload
        kicked = asyncio.create_task(self._kick.wait())
        try:
            while True:
                rest = max(0.01, limit - worker.idle_seconds) if limit else None
                ends: set[asyncio.Future[Any]] = {worker.dead, kicked}
                await asyncio.wait(ends, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                if worker.dead.done() or kicked.done():
                    return False
                if limit and worker.idle_seconds >= limit:
                    return True
        finally:
            kicked.cancel()

    async def _load(self) -> WorkerProcess:
        """Load the chosen model, else the configured one; raises as ``Loader.load``."""
        begun = time.monotonic()
        if self.file is None:
            self.file = await asyncio.to_thread(self._files.configured)
        worker = await self._loader.load(self.file, self._state.progressed, self._counters.take)
        self._counters.loads += 1
        self.on_load()
        seconds = round(time.monotonic() - begun, 2)
        _log.info("model_loaded", model=self.file.name, seconds=seconds, slots=worker.about.slots)
        return worker

    def _not_loaded(self, exc: XnaiError | WorkerDiedError | OSError) -> float | None:
        if isinstance(exc, XnaiError):
            self._failed(exc)
            return None
        death = exc.death if isinstance(exc, WorkerDiedError) else Death("exit", words_of(exc))
        return self._crashed(death)

    def _failed(self, error: XnaiError) -> None:
        """The file is no good: down until the next question has it looked at again."""
        _log.warning("model_refused", model=self._name, code=error.code, reason=error.message)
        self._state.become("down", error)
        self._flight.failed(error)

    def _crashed(self, death: Death) -> float | None:
        """The worker is gone: returns the seconds to the next attempt, None for when asked."""
        self._preparation.early.died(death)
        restart = self._restarts.died()
        reason = self._restarts.explain(death)
        wait = restart.delay
        _log.warning(
            "worker_died",
            model=self._name,
            cause=death.cause,
            reason=reason,
            restart_in=wait if restart.automatic else None,
        )
        error = XnaiError(MODEL_DOWN, retry_after=wait, reason=reason)
        if not wait:
            self._state.become("loading")
            self._state.note(error)
            return 0
        self._state.become("down", error, retry=restart)
        self._flight.failed(error)
        return wait if restart.automatic else None
