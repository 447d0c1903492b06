"""One process of bench/breaker.py: tasks that call a dependency through one of the breakers.

Arguments as JSON: peer, socket (of Redis), dependency (socket), tasks. Says on its standard output
when it is ready, and at the end of its input how its calls ended; in between, each time that calls
begin to be made again after they were refused, and the first time that they are refused.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from breaker_peers import guard_errors, make


def say(**line: object) -> None:
    sys.stdout.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
    sys.stdout.flush()


async def main() -> None:
    options = json.loads(sys.argv[1])
    guard, close = await make(options["peer"], options["socket"])
    refused_error = guard_errors[guard]
    counts = {"well": 0, "refused": 0, "failed": 0}
    calm = True

    async def call() -> None:
        reader, writer = await asyncio.open_unix_connection(options["dependency"])
        try:
            if await reader.read(1) != b"o" or options.get("sick"):
                raise ConnectionError
        finally:
            writer.close()

    async def work() -> None:
        nonlocal calm
        while True:
            word = "well"
            try:
                await guard(call)
            except refused_error:
                word = "refused"
            except OSError:
                word = "failed"
            counts[word] += 1
            if (word == "well") != calm and word != "failed":
                calm = word == "well"
                say(event="recovered" if calm else "refused")
            await asyncio.sleep(0.005)

    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    say(event="ready")
    await reader.readline()
    tasks = [asyncio.create_task(work()) for _ in range(options["tasks"])]
    await reader.read()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(close(), 3)
    say(event="counts", **counts)


asyncio.run(main())
