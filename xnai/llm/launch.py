"""Starting the worker's program, and putting its end and its log into words."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

import xnai
from xnai.llm.config import WorkerConfig
from xnai.settings import PREFIX

LOG_LINE = 2_000  # characters
NATIVE_ENVIRONMENT = {
    # OpenMP threads that wait spin this many times before they sleep. The default spins for so
    # long that a busy neighbour process slows decoding tenfold; 0 wakes them too late when idle.
    "GOMP_SPINCOUNT": "1000",
    # On an assertion llama.cpp would start a debugger.
    "GGML_NO_BACKTRACE": "1",
}

Cause = Literal["segfault", "abort", "out_of_memory", "killed", "hang", "exit", "stopped"]


@dataclass(frozen=True, slots=True)
class Death:
    """Why a worker is gone; ``words`` go on after "The language model stopped: "."""

    cause: Cause
    words: str


_CAUSES: Mapping[int, tuple[Cause, str]] = {
    signal.SIGSEGV: ("segfault", "it crashed (SIGSEGV)"),
    signal.SIGBUS: ("segfault", "it crashed (SIGBUS)"),
    signal.SIGILL: ("segfault", "it crashed (SIGILL)"),
    signal.SIGFPE: ("segfault", "it crashed (SIGFPE)"),
    signal.SIGABRT: ("abort", "it gave up (SIGABRT)"),
}
WORKER = (sys.executable, "-m", "xnai.llm.worker")

_NATIVE_LINE = re.compile(r"\bGGML_(?:ASSERT|ABORT)|^ggml_|^llama_")
_EXCEPTION = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt)\b")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How workers are started and watched.

    ``hang_seconds`` without a sign of life, or a step of llama.cpp that takes ``step_seconds``, are
    a hang; ``command`` is the program, its configuration follows as one argument.
    """

    hang_seconds: float = 10.0
    step_seconds: float = 120.0
    command: tuple[str, ...] = WORKER


async def start(config: WorkerConfig, command: Sequence[str] = WORKER) -> Process:
    """Start the worker's program in a session of its own."""
    root = str(Path(xnai.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    # The worker reads hostile files; it gets none of the server's settings, keys among them.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return await asyncio.create_subprocess_exec(
        *command,
        config.to_json(),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**NATIVE_ENVIRONMENT, **inherited, "PYTHONPATH": path},
        start_new_session=True,
    )


async def requantise(config: WorkerConfig, command: Sequence[str] = WORKER) -> bool:
    """Write the copy that the configuration asks for, in a process of its own."""
    begun = time.monotonic()
    process = await start(config, command)
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode == 0:
        _log.info("model_requantised", seconds=round(time.monotonic() - begun, 2))
        return True
    lines = errors.splitlines()
    last = log_line(lines[-1], process.pid) if lines else ""
    reason = explain_exit(process.returncode or 0, last)
    _log.warning("model_requantise_failed", reason=reason.words)
    return False


def explain_exit(code: int, last_line: str = "", oom_kills: int | None = None) -> Death:
    """How a process ended.

    Args:
        code: the exit code, negative for a signal.
        last_line: the last of its log.
        oom_kills: how many processes the system ended for lack of memory while it ran, if known.

    """
    cause, words = _CAUSES.get(-code, ("exit", f"it ended with exit code {code}"))
    if cause == "exit" and code < 0:
        cause, words = "killed", f"it was killed ({_signal_name(-code)})"
    if -code == signal.SIGKILL:
        if oom_kills:
            return Death("out_of_memory", "the system ended it (SIGKILL) for lack of memory")
        perhaps = ", perhaps by the system for lack of memory" if oom_kills is None else ""
        return Death("killed", f"it was killed (SIGKILL){perhaps}")
    said = _shown_line(last_line)
    return Death(cause, f"{words}: {said}" if said else words)


def _shown_line(line: str) -> str:
    """What of a log's last line may be shown: llama.cpp's assertions, of others the bare class.

    The message of a Python exception may quote a prompt.
    """
    if _NATIVE_LINE.search(line):
        return line
    found = _EXCEPTION.match(line)
    return found[0] if found else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


async def read_line(stream: asyncio.StreamReader) -> bytes:
    """The next line; of one that is too long a part."""
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as exc:
        return exc.partial
    except asyncio.LimitOverrunError as exc:
        return await stream.read(max(exc.consumed, 1))


def log_line(line: bytes, pid: int) -> str:
    """Put a line of the worker into the log; returns its text, one printable line."""
    text, level = line.decode("utf-8", "replace"), "warning"
    with contextlib.suppress(ValueError, TypeError, KeyError):
        record = json.loads(text)
        text, level = str(record["text"]), str(record["level"])
    text = "".join(char if char.isprintable() else " " for char in text[:LOG_LINE]).strip()
    if text:
        log = _log.warning if level == "warning" else _log.error
        log("worker_log", line=text, pid=pid)
    return text
