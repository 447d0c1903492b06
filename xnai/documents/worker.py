"""Runs one request in a worker process and tells how it ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

import xnai
from xnai.errors import (
    CATALOGUE,
    FILE_DAMAGED,
    FILE_TOO_EXPENSIVE,
    INTERNAL,
    XnaiError,
)
from xnai.telemetry.machine import watched

_log = structlog.get_logger(__name__)

_MODULE = "xnai.documents.parser_worker"
_LINE_LIMIT = 2**19  # bytes; a line of the worker has at most 12 for each character
_PICTURE_LIMIT = 64 * 2**20  # bytes
_PACKAGE_ROOT = str(Path(xnai.__file__).parents[1])
_KILLED = "its reader was killed by the system, perhaps for want of memory"
_CRASHED = "its reader crashed on it ({signal})"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use: processor and waiting time in seconds, memory in megabytes."""

    seconds: float
    memory_mb: int


def _environment() -> dict[str, str]:
    # Threads of numerical libraries reserve address space, and none are used here.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    return {**os.environ, **threads, "PYTHONPATH": path}


@dataclass(slots=True)
class Worker:
    """One request in one process; ``name`` is the document's, for error messages.

    Only the time in which the worker is waited for counts: a reader ahead of the embedder stands
    still on a full pipe.
    """

    name: str
    limits: Limits
    _process: asyncio.subprocess.Process
    _spent: float = field(default=0.0, init=False)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def _within_limits(self, reading: Any) -> bytes:
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(self.limits.seconds - self._spent, 0.01)):
                data: bytes = await reading
                return data
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            self._spent += time.monotonic() - began

    async def line(self) -> dict[str, Any]:
        """The next frame.

        Raises:
            XnaiError: what the worker says is wrong with the file, or how it ended.

        """
        assert self._process.stdout is not None
        line = await self._within_limits(self._process.stdout.readline())
        if not line.endswith(b"\n"):
            raise await self._how_it_ended()
        frame: dict[str, Any] = json.loads(line)
        if "stumbled" in frame:
            _log.info("document_reader_stumbled", exception=frame["stumbled"])
            return await self.line()
        if "error" in frame:
            raise XnaiError(CATALOGUE[frame["error"]], name=self.name, **frame["values"])
        return frame

    async def data(self, size: int) -> bytes:
        """The bytes that follow a frame."""
        assert self._process.stdout is not None
        if size > _PICTURE_LIMIT:
            raise XnaiError(INTERNAL)
        try:
            return await self._within_limits(self._process.stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            raise await self._how_it_ended() from None

    def _too_slow(self) -> XnaiError:
        limit = f"{self.limits.seconds:,.0f} seconds"
        return XnaiError(FILE_TOO_EXPENSIVE, name=self.name, resource="time", limit=limit)

    async def _how_it_ended(self) -> XnaiError:
        code = await self._process.wait()
        _log.warning("document_reader_died", exit_code=code)
        if code == -signal.SIGXCPU:
            return self._too_slow()
        if code == -signal.SIGABRT:
            # How native libraries end when they get no memory.
            limit = f"{self.limits.memory_mb:,} MB"
            return XnaiError(FILE_TOO_EXPENSIVE, name=self.name, resource="memory", limit=limit)
        if code == -signal.SIGKILL:
            return XnaiError(FILE_DAMAGED, name=self.name, reason=_KILLED)
        if code < 0:
            reason = _CRASHED.format(signal=signal.Signals(-code).name)
            return XnaiError(FILE_DAMAGED, name=self.name, reason=reason)
        return XnaiError(INTERNAL)


@contextlib.asynccontextmanager
async def worker(
    name: str, limits: Limits, request: Mapping[str, object]
) -> AsyncGenerator[Worker, None]:
    """Start a worker on a request; it is dead and reaped when the block is left.

    It leads a process group of its own, so that the programs it runs end with it.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_LIMIT,
        env=_environment(),
        start_new_session=True,
    )
    assert process.stdin is not None
    full = {
        **request,
        "seconds": limits.seconds,
        "memory_mb": limits.memory_mb,
        "parent": os.getpid(),
    }
    try:
        process.stdin.write(json.dumps(full).encode() + b"\n")
        with watched("parser", process.pid):
            yield Worker(name, limits, process)
    finally:
        # Once it is reaped, its id may be that of another group.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
