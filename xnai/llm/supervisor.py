"""Keeps one worker running: prepares the engine, loads once, restarts, explains."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from xnai.llm.files import BUNDLED_NAME, ModelFile, ModelFiles
from xnai.llm.frames import Frame
from xnai.llm.loading import EngineBuild, Loader
from xnai.llm.process import HANG_SECONDS, WorkerDiedError, WorkerProcess
from xnai.llm.protocol import ModelState, ModelStatus
from xnai.settings import Settings
from xnai.telemetry import metrics

BACK_OFF = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds before each restart in a row
STABLE_SECONDS = 60.0  # a worker that lived this long begins the row anew
SWITCHED = "another model was chosen"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counters:
    """What has happened since the start."""

    loads: int = 0
    restarts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Switch:
    """The wish for another model, and where the outcome goes."""

    file: ModelFile
    done: asyncio.Future[None]


class Supervisor:
    """The only one that starts workers; one task does it all, so that loads never overlap.

    Args:
        settings: model, context, threads, folders.
        build: makes sure that the engine is there.
        files: the models there are.
        hang_seconds: silence after which a worker is killed.

    """

    def __init__(
        self,
        settings: Settings,
        build: EngineBuild,
        files: ModelFiles,
        hang_seconds: float = HANG_SECONDS,
    ) -> None:
        self._settings = settings
        self._build = build
        self._files = files
        self._loader = Loader(settings, files, hang_seconds)
        self.counters = Counters()
        self.on_load: Callable[[], None] = lambda: None
        self.context = 0
        self.parameters = 0
        self.file: ModelFile | None = None
        self._state: ModelState = "loading" if build.installed else "preparing"
        self._since = time.time()
        self._error: XnaiError | None = None
        self._progress: float | None = None
        self._retry_at: float | None = None
        self._failures = 0
        self._kick = asyncio.Event()
        self._attempt: asyncio.Future[WorkerProcess] | None = None
        self._switch: Switch | None = None
        self._worker: WorkerProcess | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> ModelStatus:
        """How the model is doing."""
        eta = None
        detail = self._error.message if self._error else ""
        progress = self._progress
        if self._state == "preparing":
            detail, progress = self._build.detail, self._build.progress
            eta = self._build.eta_seconds
        elif self._state == "loading":
            detail = f"{self._name} is being loaded."
        return ModelStatus(
            state=self._state,
            name=self._name,
            since=self._since,
            detail=detail,
            progress=progress,
            eta_seconds=eta,
            retry_in=self._retry_in,
            error_code=self._error.code if self._error else "",
        )

    @property
    def _name(self) -> str:
        if self.file is not None:
            return self.file.name
        return Path(self._settings.model).name or BUNDLED_NAME

    @property
    def _retry_in(self) -> float | None:
        return None if self._retry_at is None else max(0.0, self._retry_at - time.monotonic())

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
        if self._state == "preparing":
            eta = self._build.eta_seconds
            raise XnaiError(MODEL_PREPARING, retry_after=eta, detail=self._build.detail)
        if self._build.error is not None and not self._build.installed:
            raise self._build.error
        if self._retry_in is not None and self._error is not None:
            values = self._error.values
            raise XnaiError(self._error.kind, retry_after=self._retry_in, **values)

    async def worker(self) -> WorkerProcess:
        """The running worker; waits while it loads, and has a bad file looked at again.

        Raises:
            XnaiError: as ``check``, and whatever is wrong with the file.

        """
        self.check()
        attempt = self._current()
        if attempt.done() and attempt.result().dead.done():  # a moment before the task notices
            self._attempt = None
            attempt = self._current()
        if self._state == "down":
            self._kick.set()
        return await asyncio.shield(attempt)

    async def switch(self, file: ModelFile) -> None:
        """Load another model instead; if that fails, the former one is loaded again.

        Raises:
            XnaiError: what is wrong with the file.

        """
        if self._state == "preparing" or self._task is None:
            self.file = file
            return
        self._switch = Switch(file, asyncio.get_running_loop().create_future())
        self._kick.set()
        await asyncio.shield(self._switch.done)

    def answered(self) -> None:
        """Note that the worker does its work: the next restart comes at once."""
        self._failures = 0

    async def close(self) -> None:
        """Stop the worker and all that was begun."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        closing = XnaiError(SHUTTING_DOWN)
        self._settle(error=closing)
        if self._switch is not None and not self._switch.done.done():
            self._switch.done.set_exception(closing)

    async def _run(self) -> None:
        if not await self._prepare():
            return
        while True:
            delay = await self._cycle()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._kick.wait()

    async def _prepare(self) -> bool:
        """Have the engine built if need be; False if that failed until the next start."""
        if self._build.installed:
            return True
        try:
            await self._build.run()
        except XnaiError as exc:
            _log.warning("engine_build_failed", code=exc.code, reason=exc.message)
            self._set("down", exc)
            self._settle(error=exc)
            return False
        return True

    async def _cycle(self) -> float | None:
        """Load, and serve to the end; returns the seconds to wait, None for the next wish."""
        switch, self._switch, former = self._switch, None, self.file
        if switch is not None:
            self.file = switch.file
        self._kick.clear()
        self._set("loading")
        try:
            worker = await self._load()
        except (XnaiError, WorkerDiedError, OSError) as exc:
            error = exc if isinstance(exc, XnaiError) else None
            if switch is not None:
                self.file = former
                reason = XnaiError(MODEL_UNSUPPORTED, name=switch.file.name, reason=str(exc))
                switch.done.set_exception(error or reason)
                return 0
            if error is None:
                return self._crashed(str(exc))
            self._failed(error)
            return None
        except Exception:  # noqa: BLE001 - the next question must find someone at home
            _log.exception("model_load_failed")
            self._failed(XnaiError(INTERNAL))
            return None
        if switch is not None:
            switch.done.set_result(None)
        return await self._serve(worker)

    async def _serve(self, worker: WorkerProcess) -> float | None:
        self._worker = worker
        self.context, self.parameters = worker.context, worker.parameters
        begun = time.monotonic()
        self._set("ready")
        self._settle(worker=worker)
        kicked = asyncio.create_task(self._kick.wait())
        try:
            ends: set[asyncio.Future[Any]] = {worker.dead, kicked}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            kicked.cancel()
            self._worker = None
            self._set("loading")
            if self._attempt is not None and self._attempt.done():
                self._attempt = None
            await worker.stop(SWITCHED)
        if self._switch is not None:
            return 0
        if time.monotonic() - begun > STABLE_SECONDS:
            self._failures = 0
        self.counters.restarts += 1
        metrics.model_restarts.inc()
        return self._crashed(worker.dead.result())

    async def _load(self) -> WorkerProcess:
        """Load the chosen model, else the configured one; raises as ``Loader.load``."""
        begun = time.monotonic()
        if self.file is None:
            self.file = await asyncio.to_thread(self._files.configured)
        worker = await self._loader.load(self.file, self._on_progress, self._take_figures)
        self.counters.loads += 1
        self.on_load()
        seconds = round(time.monotonic() - begun, 2)
        _log.info("model_loaded", model=self.file.name, seconds=seconds, context=worker.context)
        return worker

    def _failed(self, error: XnaiError) -> None:
        """The file is no good: down until the next question has it looked at again."""
        _log.warning("model_refused", model=self._name, code=error.code, reason=error.message)
        self._set("down", error)
        self._settle(error=error)

    def _crashed(self, reason: str) -> float:
        """The worker is gone: returns the seconds to the next attempt."""
        delay = BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
        self._failures += 1
        _log.warning("worker_died", model=self._name, reason=reason, restart_in=delay)
        if delay:
            error = XnaiError(MODEL_DOWN, retry_after=delay, reason=reason)
            self._set("down", error)
            self._retry_at = time.monotonic() + delay
            self._settle(error=error)
        else:
            self._set("loading")
        return delay

    def _set(self, state: ModelState, error: XnaiError | None = None) -> None:
        self._state, self._error = state, error
        self._since = time.time()
        self._progress = self._retry_at = None

    def _current(self) -> "asyncio.Future[WorkerProcess]":
        if self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
        return self._attempt

    def _settle(
        self, *, worker: WorkerProcess | None = None, error: XnaiError | None = None
    ) -> None:
        """Tell those who wait for the attempt how it went."""
        attempt = self._current()
        if attempt.done():
            return
        if worker is not None:
            attempt.set_result(worker)
        elif error is not None:
            attempt.set_exception(error)
            attempt.exception()  # nobody need wait for it
            self._attempt = None

    def _on_progress(self, value: float) -> None:
        self._progress = value

    def _take_figures(self, figures: Frame) -> None:
        self.counters.prompt_tokens += int(figures["prompt_tokens"])
        self.counters.completion_tokens += int(figures["completion_tokens"])
