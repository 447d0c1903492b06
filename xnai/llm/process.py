"""The server's end of one worker process: start it, talk to it, notice how it ends."""

import asyncio
import contextlib
import itertools
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping

from xnai.errors import MODEL_UNSUPPORTED, XnaiError
from xnai.llm import frames
from xnai.llm.config import WorkerConfig
from xnai.llm.launch import (
    Cause,
    Death,
    WorkerOptions,
    explain_exit,
    log_line,
    read_line,
    start,
)
from xnai.llm.machine import oom_kills
from xnai.llm.request import CLOSING, Request, WorkerDiedError, WorkerRetiredError
from xnai.telemetry.machine import watched

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
            closing frame.

    """

    def __init__(
        self,
        process: Process,
        options: WorkerOptions,
        on_progress: Callable[[float], None],
        on_figures: Callable[[Request, frames.Frame], None],
    ) -> None:
        self._process = process
        self._options = options
        self._on_progress = on_progress
        self._on_figures = on_figures
        self._oom_kills = oom_kills()
        self._silent_ticks = 0
        self._killed_because: Death | None = None
        self._last_line = ""
        self._ids = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._used_at = time.monotonic()
        self._retired = False
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[frames.Frame] = loop.create_future()
        self.context = 0  # tokens of one request
        self.parameters = 0
        self.slots = 1
        self.dead: asyncio.Future[Death] = loop.create_future()
        self._task = asyncio.create_task(self._run(), name=f"worker-{process.pid}")

    @classmethod
    async def spawn(
        cls,
        config: WorkerConfig,
        options: WorkerOptions,
        *,
        on_progress: Callable[[float], None] = lambda _: None,
        on_figures: Callable[[Request, frames.Frame], None] = lambda _, __: None,
    ) -> "WorkerProcess":
        """Start a worker; it loads its model on its own."""
        return cls(await start(config, options.command), options, on_progress, on_figures)

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
        if frame["type"] == "failed":
            raise XnaiError(MODEL_UNSUPPORTED, name=name, reason=frame["reason"])
        self.context = int(frame["context"])
        self.parameters = int(frame["parameters"])
        self.slots = int(frame["slots"])

    def request(self, op: str, *, timed: bool, **fields: object) -> Request:
        """Send a request; ``timed`` ones must be answered before the worker counts as hung.

        Raises:
            WorkerRetiredError: it was stopped on purpose.
            WorkerDiedError: the worker is gone.

        """
        if self._retired:
            raise WorkerRetiredError(Death("stopped", "it was stopped"))
        if self.dead.done():
            raise WorkerDiedError(self.dead.result())
        number = next(self._ids)
        request = Request(number, timed=timed, control=lambda op: self._control(op, number))
        self._send({"op": op, "id": number, **fields})
        self._requests[number] = request
        return request

    def cancel(self, request: Request) -> None:
        """Stop a request; a worker that does not obey is killed."""
        if request.id in self._requests and not request.cancelling:
            request.timed = request.cancelling = True
            request.ticks = 0
            self._control("cancel", request.id)

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
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self, reason: str) -> None:
        """End the worker: by closing its pipe, then by asking, then by force; waits for its end."""
        self._killed_because = self._killed_because or Death("stopped", reason)
        assert self._process.stdin is not None
        self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill, None):
            done, _ = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            if done or end is None:
                return
            with contextlib.suppress(ProcessLookupError):
                end()

    def _control(self, op: str, number: int) -> None:
        self._send({"op": op, "id": number})

    def _send(self, frame: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frames.encode(frame))

    async def _run(self) -> None:
        """Own the child until it is gone; then tell everyone who waits."""
        watch = asyncio.create_task(self._watch())
        log = asyncio.create_task(self._pump_log())
        death = Death("stopped", "it was stopped")
        try:
            with watched("model", self.pid):
                await self._pump_frames()
                code = await self._wait_end()
            await log
            death = self._killed_because or self._explain(code)
        finally:
            for task in (watch, log):
                task.cancel()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._tell_death(death)

    def _explain(self, code: int) -> Death:
        before, after = self._oom_kills, oom_kills()
        known = before is not None and after is not None
        return explain_exit(code, self._last_line, (after or 0) - (before or 0) if known else None)

    async def _pump_frames(self) -> None:
        assert self._process.stdout is not None
        try:
            while frame := await frames.read_async(self._process.stdout):
                self._silent_ticks = 0
                self._dispatch(frame)
        except (frames.FrameError, LookupError, TypeError, ValueError) as exc:
            self.kill(f"it sent something unintelligible ({exc!r:.200})", "exit")

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
        if kind == "step":
            for number, text, *logprobs in frame["texts"]:
                self._show(number, text, logprobs[0] if logprobs else [])
        elif kind == "text":
            self._show(frame["id"], frame["text"], frame.get("logprobs") or [])
        elif kind == "beat":
            self._check_step(float(frame.get("step_seconds", 0.0)))
        elif kind == "loading":
            self._on_progress(float(frame["progress"]))
        elif kind in {"ready", "failed"}:
            if not self._ready.done():
                self._ready.set_result(frame)
        else:
            self._hand_over(frame)

    def _hand_over(self, frame: frames.Frame) -> None:
        request = self._requests.get(int(frame["id"]))
        if request is None:
            return
        if frame["type"] in CLOSING:
            del self._requests[request.id]
            self._used_at = time.monotonic()
        request.put(frame)
        if frame["type"] in {"finished", "cancelled"}:
            self._on_figures(request, frame)

    def _show(self, number: int, text: str, logprobs: list[object]) -> None:
        if request := self._requests.get(number):
            request.text(text, logprobs)

    def _check_step(self, seconds: float) -> None:
        if seconds > self._options.step_seconds:
            self.kill(f"a step of it took longer than {self._options.step_seconds:g} seconds")

    async def _watch(self) -> None:
        """Kill a worker that is silent, or that does not answer a request with a time limit."""
        limit = self._options.hang_seconds
        while True:
            await asyncio.sleep(limit / TICKS)
            self._silent_ticks += 1
            if self._silent_ticks > TICKS:
                self.kill(f"it gave no sign of life for {limit:g} seconds")
            for request in self._requests.values():
                request.ticks += request.timed
                if request.ticks > TICKS:
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
        for request in self._requests.values():
            request.die(death)
        self._requests.clear()
