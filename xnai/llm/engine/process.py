"""The server's end of one worker process: start it, talk to it, notice how it ends."""

import asyncio
import itertools
import time
from collections.abc import Callable

from xnai.aio import sleep_to_tick
from xnai.errors import MODEL_UNSUPPORTED, XnaiError
from xnai.llm import ipc
from xnai.llm.engine.launch import (
    Cause,
    Death,
    WorkerOptions,
    explain_exit,
    log_line,
    read_line,
    start,
)
from xnai.llm.engine.request import Request, WorkerDiedError, WorkerRetiredError
from xnai.llm.hardware import oom_kills
from xnai.llm.ipc import (
    IDLE_BEATS,
    Beat,
    Cancel,
    Cancelled,
    Closing,
    Ended,
    Failed,
    Figures,
    FromWorker,
    LoadProgress,
    OfRequest,
    Ready,
    StepTexts,
    ToWorker,
    WorkerConfig,
)
from xnai.observability.processes import watched
from xnai.processes.child import Child
from xnai.processes.frames import FrameError
from xnai.processes.waiting import ProcessorWait

TICKS = 10  # silence is counted in tenths, so that a pause of the server itself counts once
STOP_SECONDS = 2.0
CANCEL_SECONDS = 1.0  # a closer waits so long for the worker's word that the place is free


class WorkerProcess:
    """A running worker.

    Args:
        process: the child, with all three pipes.
        options: how long it may be silent.
        on_progress: called with 0 to 1 while the model is read.
        on_figures: called with every answer that is over, cancelled ones included, and its
            figures.

    """

    def __init__(
        self,
        process: Child,
        options: WorkerOptions,
        on_progress: Callable[[float], None],
        on_figures: Callable[[Request, Figures], None],
    ) -> None:
        self._process = process
        self._options = options
        self._on_progress = on_progress
        self._on_figures = on_figures
        self._oom_kills = oom_kills()
        self._processor = ProcessorWait(process.pid)
        self._silent_ticks = 0.0
        self._patience = max(options.hang_seconds, options.start_seconds)  # for the first frame
        self._killed_because: Death | None = None
        self._unresponsive: Request | None = None
        self._last_line = ""
        self._ids = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._used_at, self._retired = time.monotonic(), False
        self._ready: asyncio.Future[Ready | Failed] = asyncio.Future()
        self.about = Ready(context=0, parameters=0, slots=1)
        self.dead: asyncio.Future[Death] = asyncio.Future()
        self._task = asyncio.create_task(self._run(), name=f"worker-{process.pid}")

    @classmethod
    async def spawn(
        cls,
        config: WorkerConfig,
        options: WorkerOptions,
        *,
        spin: int = 0,
        on_progress: Callable[[float], None] = lambda _: None,
        on_figures: Callable[[Request, Figures], None] = lambda _, __: None,
    ) -> "WorkerProcess":
        """Start a worker; it loads its model on its own. ``spin`` is as for ``launch.start``."""
        process = await start(config, options.command, spin)
        return cls(process, options, on_progress, on_figures)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def idle_seconds(self) -> float:
        """For how long it has had nothing to do."""
        return 0.0 if self._requests else time.monotonic() - self._used_at

    async def wait_ready(self, name: str) -> None:
        """Wait until the model is loaded.

        Raises:
            WorkerDiedError: the worker ended while it loaded.
            XnaiError: MODEL_UNSUPPORTED, llama.cpp refuses the file.

        """
        frame = await asyncio.shield(self._ready)
        if isinstance(frame, Failed):
            raise XnaiError(MODEL_UNSUPPORTED, name=name, reason=frame.reason)
        self.about = frame

    def request(self, make: Callable[[int], ToWorker], *, timed: bool) -> Request:
        """Send what ``make`` makes of a new id.

        A ``timed`` one must be answered before the worker counts as hung.

        Raises:
            WorkerRetiredError: it was stopped on purpose.
            WorkerDiedError: the worker is gone.

        """
        if self._retired:
            raise WorkerRetiredError(Death("stopped", "it was stopped"))
        if self.dead.done():
            raise WorkerDiedError(self.dead.result())
        number = next(self._ids)
        request = Request(number, timed=timed, control=self._send)
        self._send(make(number))
        self._requests[number] = request
        return request

    def cancel(self, request: Request) -> None:
        """Stop a request; a worker that does not obey is killed."""
        if request.id in self._requests and not request.cancelling:
            request.timed = request.cancelling = True
            request.ticks = 0
            self._send(Cancel(request.id))

    async def discard(self, request: Request) -> None:
        """Cancel a request that nobody reads any more; waits a moment for the end of it.

        ``request.ended`` tells of the end even if that comes later.
        """
        request.close()
        if not request.ended.done():
            self.cancel(request)
            await asyncio.wait({request.ended}, timeout=CANCEL_SECONDS)

    def retire(self) -> None:
        """Take no further requests."""
        self._retired = True

    def kill(self, words: str, cause: Cause = "hang") -> None:
        """End the worker now; ``words`` are what its requests will hear."""
        self._killed_because = self._killed_because or Death(cause, words)
        self._process.kill()

    async def stop(self, reason: str) -> None:
        """End the worker: by closing its pipe, then by force; waits for its end."""
        self._killed_because = self._killed_because or Death("stopped", reason)
        assert self._process.stdin is not None
        self._process.stdin.close()
        done, _ = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if not done:
            self._process.kill()
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)

    def _send(self, frame: ToWorker) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(ipc.encode(frame))

    async def _run(self) -> None:
        """Own the child until it is gone; then tell everyone who waits."""
        watch = asyncio.create_task(self._watch())
        log = asyncio.create_task(self._pump_log())
        death = Death("stopped", "it was stopped")
        try:
            with watched("model", self.pid):
                await self._pump_frames()
                await self._wait_end()
            await asyncio.wait({log}, timeout=STOP_SECONDS)
            code = await self._process.end()
            death = self._killed_because or self._explain(code)
        finally:
            for task in (watch, log):
                task.cancel()
            self._process.close()
            self._tell_death(death)

    def _explain(self, code: int) -> Death:
        before, after = self._oom_kills, oom_kills()
        known = before is not None and after is not None
        return explain_exit(code, self._last_line, (after or 0) - (before or 0) if known else None)

    async def _pump_frames(self) -> None:
        assert self._process.stdout is not None
        try:
            while frame := await ipc.read_async(self._process.stdout):
                self._silent_ticks = 0.0
                self._patience = self._options.hang_seconds
                self._dispatch(frame)
        except FrameError as exc:
            self.kill(f"it sent something unintelligible ({type(exc).__name__})", "exit")

    async def _wait_end(self) -> None:
        """Wait for the end: the pipe is closed, so the process ends soon or is made to."""
        if not await self._process.ends_within(STOP_SECONDS):
            self.kill("it closed its pipe but did not end")
            await self._process.ends_within(STOP_SECONDS)

    def _dispatch(self, frame: FromWorker) -> None:
        match frame:
            case StepTexts():
                for text in frame.texts:
                    if request := self._requests.get(text.id):
                        request.text(text.text, text.logprobs)
            case Beat():
                if frame.step_seconds * self._processor.counting > self._options.step_seconds:
                    self.kill(
                        f"a step of it took longer than {self._options.step_seconds:g} seconds"
                    )
            case LoadProgress():
                self._on_progress(frame.progress)
            case Ready() | Failed():
                if not self._ready.done():
                    self._ready.set_result(frame)
            case _:
                self._hand_over(frame)

    def _hand_over(self, frame: OfRequest) -> None:
        request = self._requests.get(frame.id)
        if request is None:
            return
        if isinstance(frame, Closing):
            del self._requests[request.id]
            self._used_at = time.monotonic()
        request.put(frame)
        if isinstance(frame, Ended | Cancelled):
            self._on_figures(request, frame.figures)

    async def _watch(self) -> None:
        """Kill a worker that is silent, or that does not answer a request with a time limit."""
        limit = self._options.hang_seconds
        while True:
            await sleep_to_tick(limit / TICKS)
            tick = self._processor.counts() if self._requests else 1.0 / IDLE_BEATS
            self._silent_ticks += tick
            if self._silent_ticks > TICKS * self._patience / limit:
                self.kill(f"it gave no sign of life for {self._patience:g} seconds")
            # One text is counted after the other: who waits for that has no time limit yet.
            busy = any(request.timed and request.tokenising for request in self._requests.values())
            for request in self._requests.values():
                waits = busy and not request.tokenising and not request.cancelling
                request.ticks += tick if request.timed and not waits else 0.0
                if request.ticks > TICKS:
                    self._unresponsive = request
                    self.kill(f"it did not respond within {limit:g} seconds")

    async def _pump_log(self) -> None:
        assert self._process.stderr is not None
        while line := await read_line(self._process.stderr):
            self._last_line = log_line(line, self.pid) or self._last_line

    def _tell_death(self, death: Death) -> None:
        if not self._ready.done():
            self._ready.set_exception(WorkerDiedError(death))
            self._ready.exception()  # nobody need wait for it
        if not self.dead.done():
            self.dead.set_result(death)
        cause = self._cause(death)
        for request in self._requests.values():
            request.die(death, blamed=request is cause)
        self._requests.clear()

    def _cause(self, death: Death) -> Request | None:
        """The request that the worker died of, if it was beyond doubt a single one.

        Nobody's is a signal from outside. Else it is whoever's text was being tokenised or, if
        none was, whoever alone had the model compute. Of several, each is tried again alone.
        """
        if death.cause in {"killed", "stopped"}:
            return None
        if self._unresponsive is not None:
            return self._unresponsive
        asked = self._requests.values()
        suspects = [r for r in asked if r.tokenising] or [r for r in asked if r.computing]
        return suspects[0] if len(suspects) == 1 else None
