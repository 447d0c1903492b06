"""The parent's end of the process that reads pictures by models, one for each document."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL

import structlog

from xnai.documents.parsers import converters
from xnai.processes import child

_MODULE = "xnai.documents.parsers.ocr_worker"
_MEMORY_MB = 3072
_SECONDS = 3600.0  # of the processor's time, for all pictures of a document
_THREADS = 2
_LENGTH = 32  # bytes of the line before an answer
_MOST = 2**21  # bytes of an answer

_log = structlog.get_logger(__name__)


class PictureReader:
    """Starts with the first picture; whoever makes it closes it."""

    def __init__(self) -> None:
        self._exit = contextlib.AsyncExitStack()
        self._process: child.Child | None = None

    async def close(self) -> None:
        """End the process."""
        self._process = None
        await self._exit.aclose()

    async def recognise(self, picture: bytes, seconds: float) -> str:
        """Return the words of a picture (PGM) with their places; empty if it cannot be read.

        Raises:
            XnaiError: INTERNAL, it is no such picture.

        """
        converters.require_picture(picture)
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(picture)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as exc:
            _log.warning("pictures_not_read", reason=type(exc).__name__)
            await self.close()
            return ""

    async def _answer(self, picture: bytes) -> str:
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(picture)
        await process.stdin.drain()
        line = await process.stdout.readline()
        size = int(line[:_LENGTH])
        if not 0 <= size <= _MOST:
            raise ValueError
        return (await process.stdout.readexactly(size)).decode(errors="replace")

    async def _start(self) -> child.Child:
        threads = str(_THREADS)
        given = (str(os.getpid()), str(_MEMORY_MB), str(_SECONDS), threads)
        environment = child.environment(
            extra={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        )
        program = child.Program((sys.executable, "-P", "-m", _MODULE, *given), environment)
        running = child.child(program, stderr=DEVNULL)
        self._process = await self._exit.enter_async_context(running)
        return self._process
