"""The breaker against others that share their state through Redis, on one real server in one run.

    PYTHONPATH=. python bench/breaker.py [--server valkey|redis] [--only NAME]

Peers that are not installed are skipped with a line; breaker_peers.py says how to install them.
Calls: the time of a guarded call that does nothing, less the call alone, and the commands that the
server counts for it. Fleet: 4 processes of 50 tasks call a dependency on a unix socket that dies,
hangs and recovers; what reaches it is counted there. The rest is about ours alone.
"""

import argparse
import asyncio
import signal
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import breaker_peers
from breaker_peers import MODULES, OPEN_SECONDS, PROBES, available, guard_errors, make

from rig.dependency import Dependency, outcome, until
from rig.redis_server import RedisServer, binaries
from rig.replicas import Process, Served
from xnai.resilience.config import Config
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State

ROOT = Path(__file__).resolve().parent.parent

PROCESSES, TASKS = 4, 50
CALLS = 3000
LEARNS = "from a failure to another's OPEN, worst of 10, ms"


async def nothing() -> None:
    pass


async def broken() -> None:
    raise ConnectionError


def commands(server: RedisServer) -> int:
    """Commands that the server has run."""
    for line in server.command("INFO", "stats").decode().splitlines():
        if line.startswith("total_commands_processed:"):
            return int(line.split(":")[1])
    raise RuntimeError(line)


async def times(guard: breaker_peers.Guard, call: breaker_peers.Call, count: int) -> list[float]:
    taken, refused = [], guard_errors.get(guard, ())
    for number in range(count):
        began = time.perf_counter()
        with suppress(refused, ConnectionError):
            await guard(call)
        taken.append((time.perf_counter() - began) * 1e6)
        if number % 50 == 0:
            await asyncio.sleep(0)
    return taken


async def calls(peer: str, server: RedisServer) -> dict[str, float]:
    """Microseconds and commands of a call, closed and open."""
    server.command("FLUSHALL")
    guard, close = await make(peer, server.socket)
    await asyncio.sleep(0.3)
    await times(guard, nothing, 200)

    async def bare(call: breaker_peers.Call) -> object:
        return await call()

    alone = statistics.median(await times(bare, nothing, CALLS))
    before = commands(server)
    closed = statistics.median(await times(guard, nothing, CALLS)) - alone
    trips = commands(server) - before - 1
    await times(guard, broken, 60)
    before = commands(server)
    opened = statistics.median(await times(guard, nothing, CALLS // 10))
    trips_open = commands(server) - before - 1
    await close()
    return {
        "closed call, p50 overhead, us": closed,
        "commands at Redis per closed call": trips / CALLS,
        "refused call, p50, us": opened,
        "commands at Redis per refused call": trips_open / (CALLS // 10),
    }


async def fleet(peer: str, server: RedisServer, folder: Path) -> dict[str, float]:
    """What reaches a dependency that dies, hangs and recovers, from 4 processes of 50 tasks."""
    server.command("FLUSHALL")
    async with AsyncExitStack() as stack:
        dependency = await stack.enter_async_context(Served(folder / f"{peer}.sock"))
        them = [Process(ROOT / "bench" / "breaker_worker.py") for _ in range(PROCESSES)]
        options = {"peer": peer, "socket": server.socket, "dependency": dependency.path}
        starting = [one.running(**options, tasks=TASKS) for one in them]
        await asyncio.gather(*(stack.enter_async_context(one) for one in starting))
        for one in them:
            one.go()
        await asyncio.sleep(1.0)
        dependency.forget()
        dependency.well = False
        await asyncio.gather(*(one.has(20, event="refused") for one in them))
        await asyncio.sleep(0.2)
        in_flight, before = dependency.at_first_failure
        reached = in_flight + dependency.calls - before

        dependency.forget()  # the probes of one round hang
        dependency.seconds = 2.0
        died = time.monotonic()
        while not dependency.calls and time.monotonic() < died + 5:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.5)
        probes = dependency.calls

        await asyncio.sleep(2.5)
        for one in them:
            one.lines.clear()
        dependency.seconds, dependency.well = 0.001, True
        with suppress(AssertionError):
            await asyncio.gather(*(one.has(20, event="recovered") for one in them))
        found = [one.found(event="recovered") for one in them]
        first = [lines[0]["at"] for lines in found if lines]
    spread = (max(first) - min(first)) * 1000 if len(first) == PROCESSES else float("inf")
    return {
        "calls under way at the first failure": in_flight,
        "these, and those that followed until all refused": reached,
        "the one by the other": reached / in_flight,
        "probes at once in half-open": probes,
        "spread of the recovery, ms": spread,
    }


async def replica(url: str, **settings: float) -> tuple[Breakers, object]:
    registry = Breakers(url)
    config = {"open_time": 30.0, "open_jitter": 0.0, **settings}
    breaker = registry.make("dep", Config(**config))
    await registry.start()
    await breaker.ready()
    return registry, breaker


async def learning(server: RedisServer, *, busy: bool) -> float:
    """Milliseconds from the failure that opens one replica to another's refusal; the worst."""
    worst = 0.0
    for _ in range(10):
        server.command("FLUSHALL")
        (first, one), (second, other) = [await replica(server.url) for _ in range(2)]
        shared = Dependency()

        async def load(breaker: object = other, called: Dependency = shared) -> None:
            while True:
                await outcome(breaker, called)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(load()) for _ in range(TASKS)] if busy else []
        await asyncio.sleep(0.5)
        shared.sick = True
        for _ in range(4):
            await outcome(one, shared)
        began = time.monotonic()
        await outcome(one, shared)
        await until(lambda told=other: told.state is State.OPEN and told.machine.scope == "fleet")
        worst = max(worst, (time.monotonic() - began) * 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await first.close()
        await second.close()
    return worst


async def rate(server: RedisServer) -> dict[str, float]:
    """Round trips a second of one breaker under load, closed and open."""
    server.command("FLUSHALL")
    registry, breaker = await replica(server.url, open_time=60)
    dependency, found = Dependency(), {}
    for state in ("closed", "open"):
        dependency.sick = state == "open"
        before, finish = registry.link.counts.succeeded, time.monotonic() + 3
        while time.monotonic() < finish:
            for _ in range(100):
                await outcome(breaker, dependency)
            await asyncio.sleep(0)
        trips = (registry.link.counts.succeeded - before) / 3
        found[f"round trips a second under load, {state}"] = trips
    await registry.close()
    return found


async def hung(server: RedisServer) -> dict[str, float]:
    """Redis is stopped with SIGSTOP: the longest call while closed, and the first in half-open."""
    server.command("FLUSHALL")
    registry, breaker = await replica(server.url, open_time=0.3)
    well, sick = Dependency(), Dependency()
    sick.sick = True
    for _ in range(5):
        await outcome(breaker, sick)
    await until(lambda: breaker.machine.scope == "fleet")
    await asyncio.sleep(0.4)
    server.signal(signal.SIGSTOP)
    began = time.monotonic()
    word = await outcome(breaker, well)
    half_open = time.monotonic() - began
    longest = 0.0
    finish = time.monotonic() + 2
    while time.monotonic() < finish:
        began = time.monotonic()
        await outcome(breaker, well)
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.001)
    server.signal(signal.SIGCONT)
    await registry.close()
    assert word == "well", word
    return {
        "Redis hung: first call in half-open, s": half_open,
        "Redis hung: longest call while closed, s": longest,
    }


async def killed(server: RedisServer, folder: Path) -> dict[str, float]:
    """The holder of the probe is killed: how long after its lease the next probe comes."""
    server.command("FLUSHALL")
    lease = Config().lease
    async with AsyncExitStack() as stack:
        dependency = await stack.enter_async_context(Served(folder / "killed.sock"))
        them = [Process() for _ in range(4)]
        config = {"open_time": 0.5, "open_jitter": 0.0}
        options = {"url": server.url, "dependency": dependency.path, "config": config}
        await asyncio.gather(
            *(stack.enter_async_context(one.running(**options, tasks=TASKS)) for one in them)
        )
        dependency.well = False
        for one in them:
            one.go()
        await asyncio.gather(
            *(one.has(event="transition", state="open", scope="fleet") for one in them)
        )
        dependency.seconds = 60
        while not (holders := [one for one in them if one.found(event="started")]):
            await asyncio.sleep(0.001)
        begun = time.monotonic()
        holders[0].signal(signal.SIGKILL)
        dependency.well, dependency.seconds = True, 0.02
        others = [one for one in them if one is not holders[0]]
        while not any(one.found(event="started") for one in others):
            await asyncio.sleep(0.001)
            assert time.monotonic() < begun + 30
        waited = time.monotonic() - begun
    return {"probe holder killed: next probe after its lease, s": waited - lease}


async def one_sick(server: RedisServer, folder: Path) -> dict[str, float]:
    """One of four processes is sick: shares of calls that are refused."""
    server.command("FLUSHALL")
    async with AsyncExitStack() as stack:
        dependency = await stack.enter_async_context(Served(folder / "sick.sock"))
        them = [Process() for _ in range(4)]
        options = {"url": server.url, "dependency": dependency.path, "config": {}}
        running = [one.running(**options, sick=one is them[0]) for one in them]
        await asyncio.gather(*(stack.enter_async_context(one) for one in running))
        for one in them:
            one.go()
        await asyncio.sleep(3)
    counts = [one.found(event="counts")[0] for one in them]
    shares = [c["refused"] / max(1, c["refused"] + c["failed"] + c["well"]) for c in counts]
    return {
        "one sick of four: refused by the healthy ones, %": 100 * max(shares[1:]),
        "one sick of four: refused by the sick one, %": 100 * shares[0],
    }


async def forgetting(server: RedisServer) -> dict[str, float]:
    """Calls that a cold replica lets through while the fleet is open, before and after FLUSHALL."""
    server.command("FLUSHALL")
    registry, breaker = await replica(server.url)
    sick = Dependency()
    sick.sick = True
    for _ in range(5):
        await outcome(breaker, sick)
    await until(lambda: breaker.machine.scope == "fleet")
    leaked = []
    for flushed in (False, True):
        if flushed:
            server.command("FLUSHALL")
        cold, other = await replica(server.url)
        well = Dependency()
        for _ in range(200):
            await outcome(other, well)
        leaked.append(well.calls)
        await cold.close()
    still = breaker.state is State.OPEN
    await registry.close()
    return {
        "cold replica while open: calls that leak": leaked[0],
        "cold replica after FLUSHALL while open: calls that leak": leaked[1],
        "open circuits forgotten by FLUSHALL": int(not still),
    }


def table(title: str, columns: dict[str, dict[str, float]]) -> None:
    print(f"\n{title:52}" + "".join(f"{name:>14}" for name in columns))
    for figure in next(iter(columns.values())):
        values = [columns[name][figure] for name in columns]
        print(f"{figure:52}" + "".join(f"{value:14.4g}" for value in values))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="valkey", choices=sorted(binaries()))
    parser.add_argument("--only", choices=["calls", "fleet", "ours"])
    options = parser.parse_args()
    names = available()
    for name in MODULES.keys() - set(names):
        print(f"{name} is not installed and is left out")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        server = RedisServer(binaries()[options.server], folder / "redis").start()
        version = server.command("INFO", "server").decode().split("\r\n")[2]
        print(f"{options.server}, {version}; open for {OPEN_SECONDS:g} s, {PROBES} probe")
        try:
            if options.only in {None, "calls"}:
                table("calls", {name: await calls(name, server) for name in names})
            if options.only in {None, "fleet"}:
                columns = {name: await fleet(name, server, folder) for name in names}
                table(f"{PROCESSES} processes of {TASKS} tasks", columns)
            if options.only in {None, "ours"}:
                ours = {
                    f"{LEARNS}, idle": await learning(server, busy=False),
                    f"{LEARNS}, busy": await learning(server, busy=True),
                    **await rate(server),
                    **await hung(server),
                    **await killed(server, folder),
                    **await one_sick(server, folder),
                    **await forgetting(server),
                }
                table("ours alone", {"xnai": ours})
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
