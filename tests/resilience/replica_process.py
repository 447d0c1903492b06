"""One replica in a process of its own: tasks that call a dependency as fast as they may.

Arguments as JSON: url, dependency (socket), tasks, pace (seconds between two calls of a task),
config, skew (seconds that this process's wall clock is wrong), sick (its own calls all fail). It
prints a line of JSON for each event and, when its standard input is closed, one of its counts.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress

from xnai.resilience.breaker import BreakerOpenError
from xnai.resilience.config import Config
from xnai.resilience.events import ProbeEnded, ProbeStarted, Transition
from xnai.resilience.registry import Breakers


def say(**line):
    sys.stdout.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
    sys.stdout.flush()


class Voice:
    def on_event(self, event):
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


async def call(path):
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        if await reader.read(1) != b"o":
            raise ConnectionError
    finally:
        writer.close()


async def work(breaker, options, counts):
    async def sick():
        await asyncio.sleep(0.002)
        raise ConnectionError

    while True:
        try:
            await (
                breaker.call(sick) if options["sick"] else breaker.call(call, options["dependency"])
            )
            counts["well"] += 1
        except BreakerOpenError:
            counts["refused"] += 1
        except OSError:
            counts["failed"] += 1
        await asyncio.sleep(options["pace"])


async def closed_input():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    say(event="ready")
    await reader.readline()
    return reader


async def main():
    options = {"pace": 0.005, "tasks": 50, "skew": 0, "sick": False, **json.loads(sys.argv[1])}
    if options["skew"]:
        true_time = time.time
        time.time = lambda: true_time() + options["skew"]
    registry = Breakers(options["url"], [Voice()])
    breaker = registry.make("dep", Config(**options["config"]))
    await registry.start()
    await breaker.judge.ready()
    counts = {"well": 0, "refused": 0, "failed": 0}
    reader = await closed_input()
    tasks = [asyncio.create_task(work(breaker, options, counts)) for _ in range(options["tasks"])]
    await reader.read()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(TimeoutError):
        await asyncio.wait_for(registry.close(), 2)
    say(event="counts", **counts)


asyncio.run(main())
