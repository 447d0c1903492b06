"""One replica in a process of its own: tasks that call a dependency as fast as they may.

Arguments as JSON: url, dependency (socket), tasks, pace (seconds between two calls of a task),
config, skew (seconds that this process's wall clock is wrong), jump (seconds that it is set on time
and again), sick (its own calls all fail). It prints a line of JSON for each event and, when its
standard input is closed, one of its counts.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

from xnai.resilience import CircuitOpenError
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.events import Event, ProbeEnded, ProbeStarted, Transition
from xnai.resilience.registry import Breakers

_JUMP_SECONDS = 0.2  # between two jumps of the clock


def say(**line: object) -> None:
    """Print a line, and when."""
    sys.stdout.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
    sys.stdout.flush()


class Voice:
    """Prints what the breaker does."""

    def on_event(self, event: Event) -> None:
        match event:
            case Transition(breaker="dep"):
                say_why = event.reason
                say(
                    event="transition",
                    epoch=event.epoch,
                    state=event.new,
                    scope=event.scope,
                    reason=say_why,
                )
            case ProbeStarted() | ProbeEnded():
                kind = "started" if isinstance(event, ProbeStarted) else event.result
                say(event=kind, epoch=event.epoch, ticket=event.ticket)


async def call(path: str) -> None:
    """Ask the dependency once."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        if await reader.read(1) != b"o":
            raise ConnectionError
    finally:
        writer.close()


async def work(breaker: Breaker, options: dict[str, Any], counts: dict[str, int]) -> None:
    """Ask again and again, and count how it ends."""

    async def sick() -> None:
        await asyncio.sleep(0.002)
        raise ConnectionError

    while True:
        try:
            await (
                breaker.call(sick) if options["sick"] else breaker.call(call, options["dependency"])
            )
            counts["well"] += 1
        except CircuitOpenError:
            counts["refused"] += 1
        except OSError:
            counts["failed"] += 1
        await asyncio.sleep(options["pace"])


async def started() -> asyncio.StreamReader:
    """Say that all is ready, and wait for the word to start."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    say(event="ready")
    await reader.readline()
    return reader


async def main() -> None:
    """Run the tasks from the word to start to the end of the input."""
    options = {
        "pace": 0.005,
        "tasks": 50,
        "skew": 0,
        "jump": 0,
        "sick": False,
        **json.loads(sys.argv[1]),
    }
    if options["skew"] or options["jump"]:
        true_time, begun = time.time, time.monotonic()
        time.time = lambda: (
            true_time()
            + options["skew"]
            + options["jump"] * int((time.monotonic() - begun) / _JUMP_SECONDS)
        )
    registry = Breakers(options["url"], [Voice()])
    breaker = registry.make("dep", Config(**options["config"]))
    await registry.start()
    await breaker.ready()
    counts = {"well": 0, "refused": 0, "failed": 0}
    reader = await started()
    tasks = [asyncio.create_task(work(breaker, options, counts)) for _ in range(options["tasks"])]
    await reader.read()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(TimeoutError):
        await asyncio.wait_for(registry.close(), 2)
    say(event="counts", **counts)


asyncio.run(main())
