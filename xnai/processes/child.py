"""Child processes: one way to start, to feed and to end them.

No pipe of a child can hold up its end. ``Process.wait`` of asyncio waits for the pipes as well as
for the process, and a pipe whose buffer is full is not read on: a child that is killed while it
writes faster than it is read would be waited for for ever (CPython gh-119710, Python 3.11 to 3.13).
Here a process has ended when it has ended, and its pipes are closed with it. Each leads a process
group of its own, which is killed as a whole, and none is waited for without a limit.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, SubprocessStreamProtocol
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

import xnai
from xnai.processes.signals import deaf

PACKAGE_ROOT = str(Path(xnai.__file__).parents[1])
END_SECONDS = 5.0  # a process that was killed is gone by then, unless a disk hangs
LAST_WORDS_SECONDS = 1.0  # what a process wrote before its end is read by then
BUFFER = 2**16  # bytes of a stream that are held before the child has to wait, times two

_BLOCK = 2**16
_STREAMS = (0, 1, 2)
_NAMES = {
    "GLIBC_TUNABLES",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUTF8",
    "TZ",
}
_FAMILIES = ("LC_", "MALLOC_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_")
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL")

_log = structlog.get_logger(__name__)


def environment(
    families: Sequence[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what a child that reads strangers' bytes is told: no settings, no keys.

    Args:
        families: beginnings of further names to hand on, such as ``GGML_``.
        extra: what is set for it, whatever it is called.

    """
    beginnings = (*_FAMILIES, *families)
    handed_on = {
        name: value
        for name, value in os.environ.items()
        if (name in _NAMES or name.startswith(beginnings))
        and not any(word in name.upper() for word in _SECRETS)
    }
    path = os.pathsep.join(filter(None, (PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    return {**handed_on, "PYTHONPATH": path, **(extra or {})}


class _Protocol(SubprocessStreamProtocol):
    """Tells of the end of the process itself, at once."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.exited: asyncio.Future[None] = loop.create_future()

    def process_exited(self) -> None:
        super().process_exited()
        if not self.exited.done():
            self.exited.set_result(None)


class Child:
    """A running process; ``stdin``, ``stdout`` and ``stderr`` are None where there is no pipe."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        self._transport = transport
        self._exited = protocol.exited
        self.stdin = protocol.stdin
        self.stdout = protocol.stdout
        self.stderr = protocol.stderr
        self.pid: int = transport.get_pid()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._transport.get_returncode()

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end of the process, whatever its pipes hold; says whether it came."""
        await asyncio.wait({self._exited}, timeout=seconds)
        return self._exited.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all of its group."""
        # Once it is reaped, its id may be that of another group.
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill the process and all of its group."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill it and close its pipes, without waiting; what was not read is lost."""
        self.kill()
        # Closing the transport would reap the process beside asyncio, which then guesses its code.
        for number in _STREAMS:
            pipe = self._transport.get_pipe_transport(number)
            if pipe is not None:
                pipe.close()

    async def end(self, patience: float = 0.0) -> int:
        """End the process and all of its group; returns the exit code.

        Args:
            patience: seconds in which it may end by itself, once its standard input is closed.

        """
        try:
            if patience > 0:
                if self.stdin is not None:
                    self.stdin.close()
                await self.ends_within(patience)
        finally:
            self.close()
        if not await self.ends_within(END_SECONDS):
            _log.error("child_does_not_end", pid=self.pid)
        return -signal.SIGKILL if self.returncode is None else self.returncode


@dataclass(frozen=True, slots=True)
class Program:
    """What is started.

    Attributes:
        command: the program and its arguments.
        environment: all of it, see ``environment``.
        inherited: descriptors that stay open in it, under their numbers.
        folder: where it runs; None: where this process does.
        umask: of what it makes; -1: this process's.

    """

    command: Sequence[str]
    environment: Mapping[str, str]
    inherited: tuple[int, ...] = ()
    folder: Path | None = None
    umask: int = -1


async def start(
    program: Program, *, stdin: int = PIPE, stderr: int = PIPE, limit: int = BUFFER
) -> Child:
    """Start a program; whoever calls this ends it.

    Args:
        program: what to start.
        stdin: ``PIPE`` or ``DEVNULL``.
        stderr: ``PIPE``, ``DEVNULL``, or ``STDOUT`` for one stream of both.
        limit: bytes of a line that is read as a whole.

    Raises:
        OSError: it cannot be started.

    """
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: deaf(_Protocol(limit, loop), loop),
            *program.command,
            stdin=stdin,
            stdout=PIPE,
            stderr=stderr,
            env=program.environment,
            pass_fds=program.inherited,
            cwd=program.folder,
            umask=program.umask,
            start_new_session=True,
        )
    )
    try:
        transport, protocol = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Whoever cancels expects that nothing of it runs when this is over.
        starting.add_done_callback(_close_unwanted)
        await asyncio.wait({starting}, timeout=END_SECONDS)
        if _has_started(starting):
            await Child(*starting.result()).ends_within(END_SECONDS)
        raise
    return Child(transport, protocol)


_Starting = asyncio.Future[tuple[asyncio.SubprocessTransport, _Protocol]]


def _has_started(starting: _Starting) -> bool:
    return starting.done() and not starting.cancelled() and starting.exception() is None


def _close_unwanted(starting: _Starting) -> None:
    if _has_started(starting):
        Child(*starting.result()).close()


@contextlib.asynccontextmanager
async def child(
    program: Program,
    *,
    stdin: int = PIPE,
    stderr: int = PIPE,
    limit: int = BUFFER,
    patience: float = 0.0,
) -> AsyncGenerator[Child, None]:
    """Start a program, see ``start``; it has ended when the block is left, see ``Child.end``."""
    running = await start(program, stdin=stdin, stderr=stderr, limit=limit)
    try:
        yield running
    finally:
        await running.end(patience)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended; of its output the beginning is kept, of its complaints the end."""

    pid: int
    code: int
    output: bytes
    complaint: bytes


async def run(
    program: Program, *, seconds: float, given: bytes = b"", most: int = 2**16
) -> Outcome:
    """Run a program to its end, which comes after so many seconds at the latest.

    Args:
        program: what to run.
        seconds: after which it is killed.
        given: what it reads from its standard input.
        most: bytes that are kept of its output and of its complaints; the rest is read and dropped.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it was killed.

    """
    output, complaint = bytearray(), bytearray()
    stdin = PIPE if given else DEVNULL
    async with child(program, stdin=stdin) as running:
        work = [
            asyncio.create_task(_feed(running.stdin, given)),
            asyncio.create_task(_keep_beginning(running.stdout, output, most)),
            asyncio.create_task(_keep_end(running.stderr, complaint, most)),
        ]
        try:
            if not await running.ends_within(seconds):
                raise TimeoutError
            await asyncio.wait(work, timeout=LAST_WORDS_SECONDS)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
    return Outcome(running.pid, running.returncode or 0, bytes(output), bytes(complaint))


async def _feed(stdin: asyncio.StreamWriter | None, given: bytes) -> None:
    if stdin is None:
        return
    with contextlib.suppress(ConnectionError):
        stdin.write(given)
        await stdin.drain()
    stdin.close()


async def _keep_beginning(stream: asyncio.StreamReader | None, kept: bytearray, most: int) -> None:
    assert stream is not None
    while block := await stream.read(_BLOCK):
        kept += block[: max(0, most - len(kept))]


async def _keep_end(stream: asyncio.StreamReader | None, kept: bytearray, most: int) -> None:
    assert stream is not None
    while block := await stream.read(_BLOCK):
        kept += block
        del kept[:-most]
