"""The process that owns llama.cpp: ``python -m xnai.llm.worker``, started by the server.

Frames come in on standard input and go out on standard output (``xnai.llm.frames``); log lines
are JSON on standard error. The process ends with its parent, whatever happens to that.
"""

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import llama_cpp.llama_cpp as lib

from xnai.errors import INTERNAL
from xnai.llm import frames
from xnai.llm.answer import Answer, Prompter, check_length
from xnai.llm.config import BEAT_SECONDS, WorkerConfig
from xnai.llm.context import Context
from xnai.llm.native import AbortFlag, Model, requantise
from xnai.llm.prefix_cache import PrefixCache
from xnai.llm.refused import RefusedError
from xnai.llm.sampler import Sampler
from xnai.llm.scheduler import Job
from xnai.llm.serving import Serving
from xnai.llm.template import TemplateRefusedError
from xnai.llm.vocabulary import NativeError
from xnai.types import Sampling

EXIT_REQUANTISE_FAILED = 3
PROGRESS_SECONDS = 0.2
TEMPLATE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
OOM_SCORE = "500"  # short of memory, the system ends this process before the server
LOG_TEXT = 500  # characters of a line of llama.cpp
LOG_LEVELS = {3: "warning", 4: "error"}  # GGML_LOG_LEVEL_WARN, _ERROR


class Outbox:
    """Writes frames from any thread; ends the process when nobody reads them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: object) -> None:
        """Write one frame."""
        try:
            with self._lock:
                self._file.write(frames.encode({"type": kind, **fields}))
                self._file.flush()
        except OSError:
            os._exit(0)


def serve(config: WorkerConfig, inbox: IO[bytes], outbox: Outbox) -> None:
    """Load the model, then answer until the server closes the pipe."""
    abort = AbortFlag()
    log = _NativeLog(abort)
    requests = Requests()
    _thread(_read, inbox, requests)
    beat = _Beat(outbox)
    _thread(beat.run)
    try:
        model = Model(Path(config.model), _Progress(outbox))
        context = Context(model, config.slots, config.context, config.threads, abort)
        context.warm_up(max(model.vocabulary.bos, 0))
        with _template_limit(outbox):
            prompter = Prompter(model)
    except NativeError as exc:
        reason = f"{exc} ({log.first_error})" if log.first_error else str(exc)
        outbox.send("failed", reason=reason)
        return
    except TemplateRefusedError as exc:
        outbox.send("failed", reason=f"its chat template cannot be used: {exc}")
        return
    store = config.store_bytes // context.token_bytes
    cache = PrefixCache(config.slots, store_tokens=store, partial=context.partial)
    serving = Serving(context, cache, abort, outbox.send, drafting=config.drafting)
    beat.serving = requests.serving = serving
    _thread(_prepare, requests, model, prompter, serving, outbox)
    _thread(_count, requests, model, prompter, outbox)
    outbox.send("ready", context=context.context, parameters=model.parameters, slots=context.slots)
    serving.run()


class Requests:
    """Where what the server asks goes: to the tokenising threads or straight to the loop."""

    def __init__(self) -> None:
        self.completions: queue.SimpleQueue[frames.Frame] = queue.SimpleQueue()
        self.counts: queue.SimpleQueue[frames.Frame] = queue.SimpleQueue()
        self.serving: Serving | None = None

    def put(self, frame: frames.Frame) -> None:
        """Hand a frame on; the server sends requests only after "ready"."""
        op = frame["op"]
        if op == "complete":
            self.completions.put(frame)
        elif op in {"count", "count_prompt"}:
            self.counts.put(frame)
        elif self.serving is not None:
            if op == "cancel":
                self.serving.cancel(int(frame["id"]))
            else:
                self.serving.pause(int(frame["id"]), paused=op == "pause")


@contextlib.contextmanager
def _template_limit(outbox: Outbox) -> Iterator[None]:
    """End the process if the first use of a hostile template does not come to an end."""

    def give_up() -> None:
        outbox.send("failed", reason="its chat template cannot be used: it does not end")
        os._exit(0)

    timer = threading.Timer(TEMPLATE_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(inbox: IO[bytes], requests: Requests) -> None:
    """Take what the server asks; the end of its pipe is the end of this process."""
    try:
        while frame := frames.read(inbox):
            requests.put(frame)
    except frames.FrameError as exc:
        log_line("error", str(exc))
    os._exit(0)


def _prepare(
    requests: Requests, model: Model, prompter: Prompter, serving: Serving, outbox: Outbox
) -> None:
    """Turn requests into prompts beside the steps of the model."""
    while True:
        frame = requests.completions.get()
        sampling = Sampling(**{**frame["sampling"], "stop": tuple(frame["sampling"]["stop"])})
        try:
            tokens = prompter.tokens(frame["messages"])
            check_length(len(tokens), sampling.max_tokens, serving.context_tokens)
            sampler = Sampler(sampling, model.vocabulary)
        except RefusedError as exc:
            outbox.send("error", id=frame["id"], code=exc.kind.code, values=exc.values)
        except NativeError as exc:
            log_line("error", str(exc))
            outbox.send("error", id=frame["id"], code=INTERNAL.code, values={})
        else:
            job = Job(
                int(frame["id"]),
                tokens,
                fresh=sampling.seed is not None,
                # The last token drawn is shown, not read.
                most_tokens=min(len(tokens) + sampling.max_tokens, serving.context_tokens + 1),
            )
            serving.add(Answer(job, sampling, sampler, model.vocabulary))


def _count(requests: Requests, model: Model, prompter: Prompter, outbox: Outbox) -> None:
    """Count tokens beside the answers under way."""
    while True:
        frame = requests.counts.get()
        try:
            if frame["op"] == "count":
                result = [model.vocabulary.count(text) for text in frame["texts"]]
            else:
                result = [len(prompter.tokens(frame["messages"]))]
            outbox.send("counts", id=frame["id"], counts=result)
        except RefusedError as exc:
            outbox.send("error", id=frame["id"], code=exc.kind.code, values=exc.values)
        except NativeError as exc:
            log_line("error", str(exc))
            outbox.send("error", id=frame["id"], code=INTERNAL.code, values={})


class _Beat:
    """Signs of life, and for how long the step under way has taken."""

    def __init__(self, outbox: Outbox) -> None:
        self.serving: Serving | None = None
        self._outbox = outbox

    def run(self) -> None:
        """Beat for ever."""
        while True:
            began = self.serving.step_began if self.serving else 0.0
            seconds = time.monotonic() - began if began else 0.0
            self._outbox.send("beat", step_seconds=seconds)
            time.sleep(BEAT_SECONDS)


class _NativeLog:
    """Takes llama.cpp's log: errors and warnings become lines, the rest is dropped.

    So are its complaints about a step that was given up on purpose.
    """

    def __init__(self, abort: AbortFlag) -> None:
        self.first_error = ""
        self._abort = abort
        self._callback = lib.llama_log_callback(self._take)  # must outlive the library's use
        lib.llama_log_set(self._callback, None)

    def _take(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()[:LOG_TEXT]
        if level not in LOG_LEVELS or not line.strip(".") or self._abort.is_set():
            return
        if LOG_LEVELS[level] == "error":
            self.first_error = self.first_error or line
        log_line(LOG_LEVELS[level], line)


def log_line(level: str, text: str) -> None:
    """Write one line that the server puts into its own log."""
    sys.stderr.write(json.dumps({"level": level, "text": text}) + "\n")
    sys.stderr.flush()


class _Progress:
    """Reports how much of the file was read, a few times a second."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._next = 0.0

    def __call__(self, value: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._outbox.send("loading", progress=value)


def _thread(target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)


def _limit_memory(limit: int) -> None:
    """Bound what this process may allocate, so that a hostile template fails alone."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not there on Windows

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Serve, or write a requantised copy, as the first argument says."""
    config = WorkerConfig.from_json(sys.argv[1])
    _die_with_parent(config.parent)
    _limit_memory(config.memory_limit)
    # Whatever a library prints must not land between the frames.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if config.requantise_to:
        log = _NativeLog(AbortFlag())  # noqa: F841 - llama.cpp calls it for as long as it works
        try:
            source, target = Path(config.model), Path(config.requantise_to)
            requantise(source, target, config.threads, config.requantise_as)
        except (NativeError, OSError) as exc:
            log_line("error", str(exc))
            sys.exit(EXIT_REQUANTISE_FAILED)
        return
    serve(config, sys.stdin.buffer, Outbox(pipe))
    os._exit(0)  # the reading thread holds a lock that an orderly end would wait for


if __name__ == "__main__":
    main()
