"""Replicas in processes of their own, and the dependency that they all call."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

HERE = Path(__file__).parent
PATH = os.pathsep.join([str(HERE.parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])


class Served:
    """A dependency on a unix socket, which counts the calls that reach it."""

    def __init__(self, path):
        self.path = str(path)
        self.well = True
        self.seconds = 0.02
        self.calls = self.running = self.most_running = 0
        self.at_first_failure = None  # calls under way and calls up to then

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._serve, self.path, backlog=1000)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, _, writer):
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

    def forget(self):
        self.calls = self.most_running = 0
        self.at_first_failure = None


class Process:
    """One replica; ``lines`` is what it has printed."""

    def __init__(self, program=HERE / "replica_process.py"):
        self.lines = []
        self._program = program

    @asynccontextmanager
    async def running(self, **options):
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self._program),
            json.dumps(options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": PATH},
        )
        reading = asyncio.create_task(self._read())
        try:
            await self.has(event="ready")
            yield self
        finally:
            with suppress(OSError, ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.stdin.close()
            try:
                await asyncio.wait_for(asyncio.shield(reading), 5)
            except TimeoutError:
                self._process.kill()
                await reading
            await self._process.wait()

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def go(self):
        self._process.stdin.write(b"go\n")

    def signal(self, number):
        self._process.send_signal(number)

    def found(self, **wanted):
        return [line for line in self.lines if wanted.items() <= line.items()]

    async def has(self, seconds=10.0, **wanted):
        deadline = time.monotonic() + seconds
        while not (found := self.found(**wanted)):
            assert time.monotonic() < deadline, f"{wanted} not in {self.lines[-5:]}"
            await asyncio.sleep(0.002)
        return found[0]


@asynccontextmanager
async def fleet(url, dependency, count=4, each=({},) * 4, **options):
    """``count`` replicas, all ready and then started at the same time."""
    async with AsyncExitStack() as stack:
        them = [Process() for _ in range(count)]
        shared = {"url": url, "dependency": dependency.path, **options}
        starting = [one.running(**shared, **own) for one, own in zip(them, each, strict=True)]
        await asyncio.gather(*(stack.enter_async_context(one) for one in starting))
        for one in them:
            one.go()
        yield them


def check_log(lines, permitted):
    """What has to hold of the log of all processes together, in the order of its times."""
    live, rounds = {}, {}
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
