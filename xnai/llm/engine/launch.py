"""Starting the worker's program, and putting its end and its log into words."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from xnai.llm.build.record import read_installed
from xnai.llm.ipc import WorkerConfig
from xnai.processes import child
from xnai.processes.sandbox import trial

LOG_LINE = 2_000  # characters
SPIN_COUNT = "GOMP_SPINCOUNT"
NATIVE_ENVIRONMENT = {
    # OpenMP threads that wait spin this many times before they sleep, until another count was
    # measured to be faster; beside busy neighbours ``xnai.llm.worker.spinning`` has them spin less.
    SPIN_COUNT: "1000",
    # The states of sequences that are kept and dropped, megabytes each, get pages of their own and
    # give them back. By default glibc puts all below 32 MB on its heaps, which such sizes riddle
    # with holes: a quarter more memory than is kept, and it grows for hours.
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
    "MALLOC_ARENA_MAX": "2",
    # On an assertion llama.cpp would start a debugger.
    "GGML_NO_BACKTRACE": "1",
    # Threads that a library starts when it is loaded would escape the worker's confinement.
    "OPENBLAS_NUM_THREADS": "1",
}
REQUANTISE_SECONDS = 3600.0  # of the largest models on the slowest disks
# What people set for llama.cpp, its graphics cards, and an allocator of their own.
_NATIVE_FAMILIES = (
    "GGML_",
    "LLAMA_",
    "CUDA_",
    "NVIDIA_",
    "HIP_",
    "ROCR_",
    "HSA_",
    "GPU_",
    "VK_",
    "LD_PRELOAD",
)

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
WORKER = (sys.executable, "-m", "xnai.llm.worker.main")

_NATIVE_LINE = re.compile(r"\bGGML_(?:ASSERT|ABORT)|^ggml_|^llama_")
_EXCEPTION = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt)\b")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How workers are started and watched.

    ``hang_seconds`` without a sign of life, or a step of llama.cpp that takes ``step_seconds``, are
    a hang; ``command`` is the program, its configuration follows as one argument. The first sign
    may take ``start_seconds``: Python and the libraries need 1.5 s of processor time, which on a
    machine with ten other busy processes are more than 10 s.
    """

    hang_seconds: float = 10.0
    step_seconds: float = 120.0
    command: tuple[str, ...] = WORKER
    start_seconds: float = 60.0


async def start(
    config: WorkerConfig, command: Sequence[str] = WORKER, spin: int = 0
) -> child.Child:
    """Start the worker's program in a session of its own; whoever calls this ends it.

    Args:
        config: its argument.
        command: the program.
        spin: how often threads that wait for each other look before they sleep; 0: the usual.

    """
    return await child.start(await _program(config, command, spin))


async def _program(config: WorkerConfig, command: Sequence[str], spin: int = 0) -> child.Program:
    environment = await asyncio.to_thread(process_environment, spin)
    return child.Program((*command, config.to_json()), environment)


def process_environment(spin: int = 0) -> dict[str, str]:
    """The variables of a process that runs the engine.

    It reads hostile files, so it gets none of the server's settings, keys among them.

    Args:
        spin: as for ``start``.

    """
    known = read_installed()
    build = {} if known is None else known.environment
    measured = {SPIN_COUNT: str(spin)} if spin else {}
    return child.environment(_NATIVE_FAMILIES, {**build, **NATIVE_ENVIRONMENT, **measured})


async def requantise(config: WorkerConfig, command: Sequence[str] = WORKER) -> bool:
    """Write the copy that the configuration asks for, in a process of its own."""
    begun = time.monotonic()
    try:
        outcome = await child.run(await _program(config, command), seconds=REQUANTISE_SECONDS)
    except TimeoutError:
        _log.warning("model_requantise_failed", reason=f"not done in {REQUANTISE_SECONDS:,.0f} s")
        return False
    if outcome.code == 0:
        _log.info("model_requantised", seconds=round(time.monotonic() - begun, 2))
        return True
    lines = outcome.complaint.splitlines()
    last = log_line(lines[-1], outcome.pid) if lines else ""
    reason = explain_exit(outcome.code, last)
    _log.warning("model_requantise_failed", reason=reason.words)
    return False


async def probe(targets: Mapping[str, str], folder: str = "") -> trial.EscapeTrial:
    """Try from inside a worker what must not go.

    Args:
        targets: see ``xnai.processes.sandbox.probe``.
        folder: one that it may write into, as when it requantises.

    """
    model = str(Path(targets["folder"], "model.gguf"))
    target = str(Path(folder, "copy.gguf")) if folder else ""
    config = WorkerConfig(
        os.getpid(), model, 1, 1, 2**33, requantise_to=target, probe=dict(targets)
    )
    return trial.read((await child.run(await _program(config, WORKER), seconds=30)).output)


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
