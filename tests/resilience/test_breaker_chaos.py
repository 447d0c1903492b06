"""Redis goes wrong in every way, while one breaker is closed, one open and one half-open.

All cases run at once, since they mostly wait; each test then looks at the record of its own case.
"""

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from proxy import Proxy

from rig.dependency import Dependency, Ear, outcome, until
from rig.redis_server import RedisServer, binaries
from xnai.resilience.config import Config
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State

SECONDS = 1.2  # that each fault lasts


@dataclass
class Case:
    """One server, one fault; ``calls`` are (breaker, end, seconds) while it lasted."""

    server: RedisServer
    proxy: Proxy
    ear: Ear
    calls: list = field(default_factory=list)
    after: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)
    lag: float = 0.0  # the longest time that this process was held up, in seconds

    @property
    def said(self):
        return [e.new.value for e in self.ear.events if getattr(e, "breaker", "") == "redis"]

    @property
    def reasons(self):
        return self.ear.reasons("redis")


def refuse(case):
    case.server.kill()


def restart(case):
    case.server.start()


def nothing(case):
    pass


def commands(*several):
    """Each command in words; a zero byte stands for an empty one."""
    plan = [[word.strip("\0") for word in words.split(" ")] for words in several]
    return lambda case: case.server.commands(plan)


def signals(number):
    return lambda case: case.server.signal(number)


def proxies(**state):
    def change(case):
        for name, value in state.items():
            setattr(case.proxy, name, value)

    return change


def crash(case):
    case.server.kill()
    case.server.start()


# name: (begin, end, what the log says of it); None: it need not be noticed
FAULTS = {
    "refused": (refuse, restart, "the connection was lost"),  # by the proxy
    "hung": (signals(signal.SIGSTOP), signals(signal.SIGCONT), "no answer within 0.25 s"),
    "slow": (proxies(delay=0.05), proxies(delay=0.0), None),
    "black hole": (
        proxies(to_server=False, to_client=False),
        proxies(to_server=True, to_client=True),
        "no answer within 0.25 s",
    ),
    "one way": (proxies(to_client=False), proxies(to_client=True), "no answer within 0.25 s"),
    "lost reply": (proxies(lose=1), nothing, None),
    "killed and empty": (crash, nothing, None),
    "flushed": (commands("FLUSHALL"), nothing, None),
    "scripts flushed": (commands("SCRIPT FLUSH"), nothing, None),
    "read-only": (
        commands("REPLICAOF 127.0.0.1 1"),
        commands("REPLICAOF NO ONE"),
        "it is a read-only replica",
    ),
    # Redis lets a script finish that has begun to write, so this one goes on.
    "out of memory": (
        commands("CONFIG SET maxmemory 1"),
        commands("CONFIG SET maxmemory 0"),
        None,
    ),
    "password": (
        commands(
            "CONFIG SET requirepass other",
            "CLIENT KILL TYPE pubsub",
            "CLIENT KILL TYPE normal SKIPME yes",
        ),
        commands("AUTH other", "CONFIG SET requirepass \0"),
        "it refuses the user or the password",
    ),
}
# What is said first where the attempt to mend it, at once, takes longer than a moment.
LOST = "the connection was lost"

AT_ONCE = 8  # more servers than that keep two busy cores from answering in time


async def watch_lag(case):
    while True:
        began = time.monotonic()
        await asyncio.sleep(0)
        case.lag = max(case.lag, time.monotonic() - began)
        await asyncio.sleep(0.01)


async def play(kind, fault, folder, turn):
    """Play a case in its turn, of which there are a few at once."""
    async with turn:
        return await _play(kind, fault, folder)


async def _play(kind, fault, folder):
    """Bring three breakers into three states, spoil Redis for a while, and keep the record."""
    begin, end, _ = FAULTS[fault]
    async with AsyncExitStack() as stack:
        server = RedisServer(binaries()[kind], folder).start()
        stack.callback(server.stop)
        proxy = await stack.enter_async_context(Proxy(server.socket))
        case = Case(server, proxy, Ear())
        registry = Breakers(f"redis://127.0.0.1:{proxy.port}", [case.ear])
        stack.push_async_callback(registry.close)
        quick = {"open_jitter": 0.0, "lease": 2.0, "resync": 0.5}
        closed = registry.make("closed", Config(**quick))
        opened = registry.make("open", Config(open_time=60.0, **quick))
        half = registry.make("half", Config(open_time=0.1, **quick))
        await registry.start()
        await asyncio.gather(*(one.ready() for one in registry))
        sick, well = Dependency(), Dependency()
        sick.sick = True
        for one in (opened, half):
            for _ in range(5):
                await outcome(one, sick)
        await until(lambda: {opened.machine.scope, half.machine.scope} == {"fleet"})
        await asyncio.sleep(0.6)
        case.ear.events.clear()

        watch = asyncio.create_task(watch_lag(case))
        begin(case)
        finish = time.monotonic() + SECONDS
        while time.monotonic() < finish:
            for one in (half, closed, opened):
                began = time.monotonic()
                word = await outcome(one, well)
                case.calls.append((one.name, word, time.monotonic() - began))
            await asyncio.sleep(0.02)
        end(case)
        watch.cancel()

        await until(lambda: not registry.link.away and registry.link.state is State.CLOSED)
        await until(lambda: half.state is State.CLOSED)
        await asyncio.sleep(0.7)
        for one in (closed, opened, half):
            case.after[one.name] = (one.state, one.machine.scope, await outcome(one, well))
            words = server.command("HGET", f"cb:{{{one.name}}}", "state").decode().split("\r\n")
            case.kept[one.name] = words[1] if len(words) > 2 else ""
    return case


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chaos")

    async def all_at_once():
        plan = [(kind, fault) for kind in sorted(binaries()) for fault in FAULTS]
        turn = asyncio.Semaphore(AT_ONCE)
        played = await asyncio.gather(
            *(play(kind, fault, folder / f"{n}", turn) for n, (kind, fault) in enumerate(plan)),
            return_exceptions=True,
        )
        return dict(zip(plan, played, strict=True))

    return asyncio.run(all_at_once())


@pytest.fixture(params=sorted(binaries()))
def kind(request):
    return request.param


@pytest.fixture(params=FAULTS)
def fault(request):
    return request.param


@pytest.fixture
def case(cases, kind, fault):
    found = cases[kind, fault]
    if isinstance(found, BaseException):
        raise found
    return found


def test_calls_go_on_and_none_waits_longer_than_a_script_may(case):
    ends = {
        name: {word for who, word, _ in case.calls if who == name} for name in ("closed", "open")
    }

    assert {"closed": {"well"}, "open": {"refused"}} == ends
    # What has arrived is read before it is called late, which takes a few turns of the event loop.
    assert max(seconds for _, _, seconds in case.calls) < 1.0 + 8 * case.lag


def test_the_half_open_one_recovers_without_redis(case):
    words = [word for who, word, _ in case.calls if who == "half"]

    assert "well" in words
    assert words[words.index("well") :].count("refused") <= 1


def test_afterwards_all_is_as_it_should_be_and_redis_knows_it(case):
    assert {
        "closed": (State.CLOSED, "fleet", "well"),
        "open": (State.OPEN, "fleet", "refused"),
        "half": (State.CLOSED, "fleet", "well"),
    } == case.after
    assert case.kept["open"] == "open"
    assert case.kept["half"] in {"closed", ""}


def test_trouble_is_told_once_and_so_is_its_end(case, fault):
    words = FAULTS[fault][2]

    if words is None:
        assert case.said in ([], ["open", "closed"])
    else:
        assert ["open", "closed"] == case.said
        assert case.reasons[0] == words or (fault, case.reasons[0]) == ("password", LOST)
