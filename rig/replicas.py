"""Replicas in processes of their own, and the dependency that they all call."""

import asyncio
import json
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from rig.waiting import eventually

HERE = Path(__file__).resolve().parent
PATH = os.pathsep.join([str(HERE.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])


class Served:
    """A dependency on a unix socket, which counts the calls that reach it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.well = True
        self.seconds = 0.02
        self.calls = self.running = self.most_running = 0
        # Calls under way, and calls up to then.
        self.at_first_failure: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.path, backlog=1000)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, _: StreamReader, writer: StreamWriter) -> None:
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.seconds)
            if not self.well and self.at_first_failure is None:
                self.at_first_failure = (self.running, self.calls)
            writer.write(b"o" if self.well else b"x")
            with suppress(OSError):
                await writer.drain()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self.running -= 1
            writer.close()

    def forget(self) -> None:
        """Count anew."""
        self.calls = self.most_running = 0
        self.at_first_failure = None


class Process:
    """One replica; ``lines`` is what it has printed."""

    def __init__(self, program: Path = HERE / "replica_process.py") -> None:
        self.lines: list[dict[str, Any]] = []
        self._program = program

    @asynccontextmanager
    async def running(self, **options: object) -> AsyncIterator[Self]:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self._program),
            json.dumps(options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": PATH},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input = self._process.stdin
        reading = asyncio.create_task(self._read(self._process.stdout))
        try:
            await self.has(event="ready")
            yield self
        finally:
            with suppress(OSError, ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._input.close()
            try:
                await asyncio.wait_for(asyncio.shield(reading), 5)
            except TimeoutError:
                with suppress(ProcessLookupError):  # it has just ended
                    self._process.kill()
                await reading
            await self._process.wait()

    async def _read(self, output: StreamReader) -> None:
        async for line in output:
            self.lines.append(json.loads(line))

    def go(self) -> None:
        self._input.write(b"go\n")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def found(self, **wanted: object) -> list[dict[str, Any]]:
        return [line for line in self.lines if wanted.items() <= line.items()]

    async def has(self, seconds: float = 60.0, **wanted: object) -> dict[str, Any]:
        found = await eventually(
            lambda: self.found(**wanted), lambda: f"{wanted} in {self.lines[-5:]}", seconds, 0.002
        )
        return found[0]


@asynccontextmanager
async def fleet(
    url: str,
    dependency: Served,
    count: int = 4,
    each: Sequence[dict[str, object]] = ({},) * 4,
    **options: object,
) -> AsyncIterator[list[Process]]:
    """Run ``count`` replicas, all ready and then started at the same time."""
    async with AsyncExitStack() as stack:
        them = [Process() for _ in range(count)]
        shared = {"url": url, "dependency": dependency.path, **options}
        starting = [one.running(**shared, **own) for one, own in zip(them, each, strict=True)]
        await asyncio.gather(*(stack.enter_async_context(one) for one in starting))
        for one in them:
            one.go()
        yield them


def check_log(lines: Iterable[dict[str, Any]], permitted: int) -> dict[int, list[int]]:
    """Check what has to hold of the log of all processes together, in the order of its times."""
    live: dict[int, set[int]] = {}
    rounds: dict[int, list[int]] = {}
    for line in sorted(lines, key=lambda line: line["at"]):
        if line["event"] == "started":
            live.setdefault(line["epoch"], set()).add(line["ticket"])
            rounds.setdefault(line["epoch"], []).append(line["ticket"])
            assert len(live[line["epoch"]]) <= permitted, line
        elif line["event"] in {"succeeded", "failed", "returned", "lost"}:
            live.get(line["epoch"], set()).discard(line["ticket"])
    for tickets in rounds.values():
        assert len(tickets) == len(set(tickets)), "a ticket was given twice"
    return rounds
