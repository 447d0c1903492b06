"""Starting the worker's program, and putting its end and its log into words."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

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

_log = structlog.get_logger(__name__)


async def start(config: WorkerConfig) -> Process:
    """Start the worker's program in a session of its own."""
    root = str(Path(xnai.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    # The worker reads hostile files; it gets none of the server's settings, keys among them.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "xnai.llm.worker",
        config.to_json(),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**NATIVE_ENVIRONMENT, **inherited, "PYTHONPATH": path},
        start_new_session=True,
    )


async def requantise(config: WorkerConfig) -> bool:
    """Write the Q8_0 copy that the configuration asks for, in a process of its own."""
    begun = time.monotonic()
    process = await start(config)
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
    _log.warning("model_requantise_failed", reason=reason)
    return False


def explain_exit(code: int, last_line: str = "") -> str:
    """How a process ended, in words; ``code`` is negative for a signal."""
    words = f"it ended with exit code {code}"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        words = f"it was killed ({name})"
        if -code == getattr(signal, "SIGKILL", None):
            return f"{words}, perhaps by the system for lack of memory"
    return f"{words}: {last_line}" if last_line else words


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
