"""The server's end of one worker process: start it, talk to it, notice how it ends."""

import asyncio
import contextlib
import itertools
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping

from xnai.errors import CATALOGUE, INTERNAL, MODEL_UNSUPPORTED, XnaiError
from xnai.llm import frames
from xnai.llm.config import WorkerConfig
from xnai.llm.launch import explain_exit, log_line, read_line, start

HANG_SECONDS = 10.0
TICKS = 10  # silence is counted in tenths, so that a pause of the server itself counts once
STOP_SECONDS = 2.0


class WorkerDiedError(Exception):
    """The worker ended, or was ended, before it answered; the text says how."""


class Request:
    """One request under way; its frames arrive in order."""

    def __init__(self, request_id: int, *, timed: bool) -> None:
        self.id = request_id
        self.timed = timed  # whether silence means that the worker hangs
        self.ticks = 0
        self._frames: asyncio.Queue[frames.Frame | str] = asyncio.Queue()

    def put(self, frame: frames.Frame | str) -> None:
        """Append a frame, or the reason of the worker's death."""
        self.ticks = 0
        self._frames.put_nowait(frame)

    async def next(self) -> frames.Frame:
        """The next frame.

        Raises:
            WorkerDiedError: the worker is gone.
            XnaiError: the worker refuses the request.

        """
        frame = await self._frames.get()
        if isinstance(frame, str):
            raise WorkerDiedError(frame)
        if frame["type"] == "error":
            kind = CATALOGUE.get(str(frame["code"]), INTERNAL)
            raise XnaiError(kind, **frame["values"])
        return frame


class WorkerProcess:
    """A running worker.

    Args:
        process: the child, with all three pipes.
        hang_seconds: silence after which the worker is taken to hang and is killed.
        on_progress: called with 0 to 1 while the model is read.
        on_figures: called with the closing frame of every answer, cancelled ones included.

    """

    def __init__(
        self,
        process: Process,
        hang_seconds: float,
        on_progress: Callable[[float], None],
        on_figures: Callable[[frames.Frame], None],
    ) -> None:
        self._process = process
        self._hang_seconds = hang_seconds
        self._on_progress = on_progress
        self._on_figures = on_figures
        self._silent_ticks = 0
        self._killed_because = ""
        self._last_line = ""
        self._ids = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._ready: asyncio.Future[frames.Frame] = asyncio.get_running_loop().create_future()
        self.context = 0
        self.parameters = 0
        self.dead: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"worker-{process.pid}")

    @classmethod
    async def spawn(
        cls,
        config: WorkerConfig,
        *,
        hang_seconds: float = HANG_SECONDS,
        on_progress: Callable[[float], None] = lambda _: None,
        on_figures: Callable[[frames.Frame], None] = lambda _: None,
    ) -> "WorkerProcess":
        """Start a worker; it loads its model on its own."""
        return cls(await start(config), hang_seconds, on_progress, on_figures)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait_ready(self, name: str) -> None:
        """Wait until the model is loaded.

        Raises:
            WorkerDiedError: the worker ended while it loaded.
            XnaiError: MODEL_UNSUPPORTED, llama.cpp refuses the file.

        """
        frame = await asyncio.shield(self._ready)
        if frame["type"] == "failed":
            raise XnaiError(MODEL_UNSUPPORTED, name=name, reason=frame["reason"])
        self.context = int(frame["context"])
        self.parameters = int(frame["parameters"])

    async def request(self, op: str, *, timed: bool, **fields: object) -> Request:
        """Send a request; ``timed`` ones must be answered before the worker counts as hung.

        Raises:
            WorkerDiedError: the worker is gone.

        """
        if self.dead.done():
            raise WorkerDiedError(self.dead.result())
        request = Request(next(self._ids), timed=timed)
        self._requests[request.id] = request
        self._send({"op": op, "id": request.id, **fields})
        with contextlib.suppress(ConnectionError):
            assert self._process.stdin is not None
            await self._process.stdin.drain()
        return request

    def cancel(self, request: Request) -> None:
        """Stop a request; a worker that does not obey is killed."""
        if request.id in self._requests:
            request.timed = True
            request.ticks = 0
            self._send({"op": "cancel", "id": request.id})

    def kill(self, reason: str) -> None:
        """End the worker now; ``reason`` is what its requests will hear."""
        self._killed_because = self._killed_because or reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self, reason: str) -> None:
        """End the worker: by closing its pipe, then by asking, then by force; waits for its end."""
        self._killed_because = self._killed_because or reason
        assert self._process.stdin is not None
        self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill, None):
            done, _ = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            if done or end is None:
                return
            with contextlib.suppress(ProcessLookupError):
                end()

    def _send(self, frame: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frames.encode(frame))

    async def _run(self) -> None:
        """Own the child until it is gone; then tell everyone who waits."""
        watch = asyncio.create_task(self._watch())
        log = asyncio.create_task(self._pump_log())
        reason = "it was stopped"
        try:
            await self._pump_frames()
            code = await self._wait_end()
            await log
            reason = self._killed_because or explain_exit(code, self._last_line)
        finally:
            for task in (watch, log):
                task.cancel()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._tell_death(reason)

    async def _pump_frames(self) -> None:
        assert self._process.stdout is not None
        try:
            while frame := await frames.read_async(self._process.stdout):
                self._silent_ticks = 0
                self._dispatch(frame)
        except frames.FrameError as exc:
            self.kill(f"it sent something unintelligible ({exc})")

    async def _wait_end(self) -> int:
        """The exit code; the pipe is closed, so the process ends soon or is made to."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            self.kill("it closed its pipe but did not end")
            return await self._process.wait()

    def _dispatch(self, frame: frames.Frame) -> None:
        kind = frame["type"]
        if kind in {"ready", "failed"}:
            if not self._ready.done():
                self._ready.set_result(frame)
        elif kind == "loading":
            self._on_progress(float(frame["progress"]))
        elif request := self._requests.get(int(frame.get("id", 0))):
            if kind not in {"prefill", "text"}:
                del self._requests[request.id]
            if kind in {"finished", "cancelled"}:
                self._on_figures(frame)
            request.put(frame)

    async def _watch(self) -> None:
        """Kill a worker that is silent, or that does not answer a request with a time limit."""
        while True:
            await asyncio.sleep(self._hang_seconds / TICKS)
            self._silent_ticks += 1
            if self._silent_ticks > TICKS:
                self.kill(f"it gave no sign of life for {self._hang_seconds:.0f} seconds")
            for request in self._requests.values():
                request.ticks += request.timed
                if request.ticks > TICKS:
                    self.kill(f"it did not respond within {self._hang_seconds:.0f} seconds")

    async def _pump_log(self) -> None:
        assert self._process.stderr is not None
        while line := await read_line(self._process.stderr):
            self._last_line = log_line(line, self.pid) or self._last_line

    def _tell_death(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(WorkerDiedError(reason))
            self._ready.exception()  # nobody need wait for it
        if not self.dead.done():
            self.dead.set_result(reason)
        for request in self._requests.values():
            request.put(reason)
        self._requests.clear()
