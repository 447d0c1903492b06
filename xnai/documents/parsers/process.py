"""Runs one request in a worker process and tells how it ended."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import structlog

from xnai.documents.parsers import converters, office_converter
from xnai.documents.parsers.frames import (
    FROM_PARSER,
    Convert,
    Converted,
    FromParser,
    OldOffice,
    Reader,
    Recognise,
    Recognised,
    Result,
    Start,
    Stumbled,
    Task,
    Tried,
    TryEscapes,
    Unreadable,
    line,
)
from xnai.documents.parsers.picture_reader import PictureReader
from xnai.errors import (
    CATALOGUE,
    FILE_DAMAGED,
    FILE_TOO_EXPENSIVE,
    INTERNAL,
    XnaiError,
)
from xnai.observability.processes import watched
from xnai.processes import child
from xnai.processes.frames import FrameError
from xnai.processes.sandbox import probe as inside
from xnai.processes.sandbox import trial

_log = structlog.get_logger(__name__)

_MODULE = "xnai.documents.parsers.main"
_LINE_LIMIT = 2**19  # bytes; a line of the worker has at most 12 for each character
_PICTURE_LIMIT = 64 * 2**20  # bytes
_END_SECONDS = 2.0  # a reader that has closed its output is gone by then
# Threads of numerical libraries reserve address space, and none are used here.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_KILLED = "its reader was killed by the system, perhaps for want of memory"
_GONE = "the copy that was kept of it cannot be opened"
_CRASHED = "its reader crashed on it ({signal})"

Wanted = TypeVar("Wanted", bound=Result)
Made = TypeVar("Made", str, bytes)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use: processor and waiting time in seconds, memory in megabytes."""

    seconds: float
    memory_mb: int


@dataclass(slots=True)
class Worker:
    """One request in one process; ``name`` is the document's, for error messages.

    Only the time in which the worker is waited for counts: a reader ahead of the embedder stands
    still on a full pipe, and pictures are read for it in a time of their own.
    """

    name: str
    limits: Limits
    _process: child.Child
    pictures: PictureReader = field(default_factory=PictureReader)
    was_killed: bool = field(default=False, init=False)  # by the system, or somebody on it
    _spent: float = field(default=0.0, init=False)
    _recognised: float = field(default=0.0, init=False)  # seconds

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

    async def result(self, *wanted: type[Wanted]) -> Wanted:
        """Return the next frame of these kinds; pictures to be read are read meanwhile.

        Raises:
            XnaiError: what the worker says is wrong with the file, how it ended, or INTERNAL: it
                sends something else.

        """
        while not isinstance(frame := await self._frame(), wanted):
            match frame:
                case Stumbled():
                    _log.info("document_reader_stumbled", exception=frame.exception)
                case Recognise():
                    await self._recognise(await self.data(frame.size), frame.by)
                case Convert():
                    await self._convert(await self.data(frame.size), frame.kind)
                case Unreadable():
                    values: dict[str, Any] = {**frame.values, "name": self.name}
                    values.pop("retry_after", None)  # fills no words
                    raise XnaiError(CATALOGUE.get(frame.code, INTERNAL), **values)
                case _:
                    raise XnaiError(INTERNAL)
        return frame

    async def _frame(self) -> FromParser:
        assert self._process.stdout is not None
        try:
            data = await self._within_limits(self._process.stdout.readline())
            if not data.endswith(b"\n"):
                raise await self._how_it_ended()
            return FROM_PARSER.decode(data)
        except (ValueError, FrameError) as exc:  # too long, or no frame: it is not our reader
            raise XnaiError(INTERNAL) from exc

    async def _recognise(self, picture: bytes, by: Reader) -> None:
        """Have a picture read for the worker, no longer than it lives.

        What is left unread for want of time is answered like a picture without text. A worker that
        goes on asking is ended by the limits of its own time.
        """
        seconds = min(converters.PAGE_SECONDS, converters.DOCUMENT_SECONDS - self._recognised)
        text = await self._text_of(picture, by, seconds) if seconds > 0 else ""
        assert self._process.stdin is not None
        self._process.stdin.write(line(Recognised(text)))

    async def _text_of(self, picture: bytes, by: Reader, seconds: float) -> str:
        ways: dict[Reader, Callable[[bytes, float], Coroutine[Any, Any, str]]] = {
            "tesseract": converters.recognise,
            "rapidocr": self.pictures.recognise,
            "sparse": partial(converters.recognise, sparse=True),
            "orientation": converters.orientation,
        }
        return await self._while_it_lives(ways[by](picture, seconds), seconds)

    async def _convert(self, document: bytes, kind: OldOffice) -> None:
        """Have a file converted for the worker, as pictures are read for it."""
        seconds = min(office_converter.SECONDS, converters.DOCUMENT_SECONDS - self._recognised)
        made = b""
        if seconds > 0:
            work = office_converter.convert(document, kind, seconds)
            made = await self._while_it_lives(work, seconds)
        assert self._process.stdin is not None
        self._process.stdin.write(line(Converted(len(made))) + made)

    async def _while_it_lives(self, doing: Coroutine[Any, Any, Made], seconds: float) -> Made:
        """Do something for the worker, unless it ends; that takes time of its own."""
        work = asyncio.ensure_future(doing)
        end = asyncio.create_task(self._process.ends_within(2 * seconds))
        began = time.monotonic()
        try:
            await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise await self._how_it_ended()
        finally:
            self._recognised += time.monotonic() - began
            for task in (work, end):
                task.cancel()
            await asyncio.gather(work, end, return_exceptions=True)
        return work.result()

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
        limit = f"{self.limits.seconds:,g} seconds"
        return XnaiError(FILE_TOO_EXPENSIVE, name=self.name, resource="time", limit=limit)

    async def _how_it_ended(self) -> XnaiError:
        code = await self._process.end(_END_SECONDS)
        _log.warning("document_reader_died", exit_code=code)
        if code == -signal.SIGXCPU:
            return self._too_slow()
        if code == -signal.SIGABRT:
            # How native libraries end when they get no memory.
            limit = f"{self.limits.memory_mb:,} MB"
            return XnaiError(FILE_TOO_EXPENSIVE, name=self.name, resource="memory", limit=limit)
        if code == -signal.SIGKILL:
            self.was_killed = True
            return XnaiError(FILE_DAMAGED, name=self.name, reason=_KILLED)
        if code < 0:
            reason = _CRASHED.format(signal=signal.Signals(-code).name)
            return XnaiError(FILE_DAMAGED, name=self.name, reason=reason)
        return XnaiError(INTERNAL)


@contextlib.asynccontextmanager
async def worker(name: str, limits: Limits, task: Task) -> AsyncGenerator[Worker, None]:
    """Start a worker on a task; it is dead and reaped when the block is left.

    The document of the task's ``path`` is opened here: the worker sees no other file.

    Raises:
        XnaiError: FILE_DAMAGED, there is no such file.

    """
    async with _opened(task.path, name) as inherited:
        if inherited:
            task = replace(task, path=f"/proc/self/fd/{inherited[0]}")
        begin = Start(
            media_type=task.media_type,
            descriptors=inherited,
            recognises=converters.recognisers(),
            converts=bool(office_converter.program_folder()),
            seconds=limits.seconds,
            memory_mb=limits.memory_mb,
            parent=os.getpid(),
        )
        environment = child.environment(extra=_ONE_THREAD)
        program = child.Program((sys.executable, "-P", "-m", _MODULE), environment, inherited)
        async with child.child(program, stderr=DEVNULL, limit=_LINE_LIMIT) as process:
            assert process.stdin is not None
            process.stdin.write(line(begin) + line(task))
            running = Worker(name, limits, process)
            try:
                with watched("parser", process.pid):
                    yield running
            finally:
                await running.pictures.close()


@contextlib.asynccontextmanager
async def _opened(path: str, name: str) -> AsyncGenerator[tuple[int, ...], None]:
    """A file's descriptor while the block runs; none where a process cannot open it again."""
    if not path or sys.platform != "linux":
        yield ()
        return
    opening = asyncio.ensure_future(asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC))
    try:
        number = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise
    except OSError as exc:
        raise XnaiError(FILE_DAMAGED, name=name, reason=_GONE) from exc
    try:
        yield (number,)
    finally:
        os.close(number)


def _close_unwanted(opening: "asyncio.Future[int]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


async def probe(targets: Mapping[str, str]) -> trial.EscapeTrial:
    """Try from inside a worker what must not go.

    Args:
        targets: see ``xnai.processes.sandbox.probe``.

    """
    tried: dict[str, str] = {}
    async with worker("probe", Limits(30, 512), TryEscapes(dict(targets))) as running:
        with contextlib.suppress(XnaiError):  # it has become a shell
            while inside.LAST not in tried:
                frame = await running.result(Tried)
                tried[frame.attempt] = frame.refused
    return trial.EscapeTrial({inside.LAST: "", **tried})
