"""Attacks on shared breakers: herds, a store that is ill in every way, replicas that disagree."""

import asyncio
import json
import time
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from proxy import Proxy
from redis import Redis
from redis.exceptions import ResponseError

from rig.dependency import QUICK, Dependency, Ear, SickError, due, outcome, until, until_well
from rig.processes import free_port
from rig.redis_server import RedisServer, binaries
from rig.waiting import PATIENCE
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.events import ProbeStarted
from xnai.resilience.redis.errors import classify
from xnai.resilience.redis.store import SCRIPT, channel, keys
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State
from xnai.resilience.stream import StreamTimeoutError


@pytest.fixture
def server(tmp_path):
    one = RedisServer(binaries()["valkey"], tmp_path / "valkey").start()
    yield one
    one.stop()


@asynccontextmanager
async def replica(url, name="dep", *, wait=True, **config):
    """A registry with one breaker, as a process would have it."""
    registry = Breakers(url, [ear := Ear()])
    breaker = registry.make(name, Config(**{**QUICK, "open_growth": 1.0, **config}))
    breaker.ear, breaker.registry, breaker.link = ear, registry, registry.link
    await registry.start()
    try:
        if wait:
            await breaker.ready()
            await until(lambda: not registry.link.away)
        yield breaker
    finally:
        await asyncio.wait_for(registry.close(), 10)


async def trip(*breakers):
    """Open the fleet."""
    sick = Dependency()
    sick.sick = True
    for one in breakers:
        for _ in range(5):
            await outcome(one, sick)
    await until(lambda: all(one.machine.fleet.state is State.OPEN for one in breakers))


def asked(server, command="evalsha"):
    """How often the server ran a command."""
    told = server.command("INFO", "commandstats").decode()
    return sum(
        int(line.split("calls=")[1].split(",")[0])
        for line in told.splitlines()
        if line.startswith(f"cmdstat_{command}:")
    )


# --- a herd at the moment when the open time is over


@pytest.mark.parametrize("tasks", [10, 100, 600])
async def test_a_herd_costs_one_request_and_one_probe(server, tasks):
    async with replica(server.url, lease=5, resync=60) as one:
        await trip(one)
        well = Dependency()
        well.seconds = 0.2
        await due(one)
        server.command("CONFIG", "RESETSTAT")
        requests = one.link.counts
        before = requests.succeeded + requests.failed

        ends = await asyncio.gather(*(outcome(one, well) for _ in range(tasks)))

        assert (ends.count("well"), ends.count("refused")) == (1, tasks - 1)
        assert well.calls == 1
        assert requests.succeeded + requests.failed - before <= 3  # acquire, release, and a report
        assert one.ear.reasons("redis") == []


async def test_replicas_under_load_let_exactly_the_permitted_probes_through(server):
    """The event loop is held up for longer than a script may take, again and again."""

    async def burden():
        while True:
            time.sleep(0.3)  # noqa: ASYNC251 - that is the attack
            await asyncio.sleep(0.01)

    async with (
        replica(server.url, probes=3, lease=30) as a,
        replica(server.url, probes=3, lease=30) as b,
    ):
        await trip(a, b)
        well, both = Dependency(), (a, b)
        well.seconds = 0.1
        await due(a, b)
        load = asyncio.create_task(burden())

        async def knock(one):
            while one.state is not State.CLOSED:
                await outcome(one, well)
                await asyncio.sleep(0.001)

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(knock(one) for one in both for _ in range(60)))
        load.cancel()
        started = [e for one in both for e in one.ear.events if isinstance(e, ProbeStarted)]

        assert len({probe.ticket for probe in started}) == len(started) == 3
        assert [a.ear.reasons("redis"), b.ear.reasons("redis")] == [[], []]


async def test_a_caller_cancelled_in_line_leaves_its_probe_to_the_next(server):
    async with replica(server.url, lease=30) as one:
        await trip(one)
        await due(one)
        first = asyncio.create_task(one.call(Dependency()))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        await until_well(one, Dependency())  # long before the lease is over


async def test_hundreds_of_breakers_share_few_connections(server):
    registry = Breakers(server.url, [ear := Ear()])
    made = [registry.make(f"dep{n}") for n in range(250)]
    await registry.start()
    try:
        await until(lambda: not registry.link.away)
        clients = server.command("CLIENT", "LIST").decode().splitlines()
        assert [one.name for one in made if one.machine.unsynced] == []
        assert len([line for line in clients if "id=" in line]) <= 4  # the one that asks is one
        assert ear.reasons("redis") == []
    finally:
        await registry.close()


# --- a store that is ill


HOSTILE = {
    "a line without end": b"+" + b"x" * 100_000,
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no utf-8": b"-ERR \xff\xfe\r\n" * 3,
    "a huge length": b"$999999999999\r\n",
    "arrays in arrays": b"*1\r\n" * 5000,
    "no number": b":abc\r\n",
    "no length": b"$abc\r\n",
    "an array of one": b"*1\r\n$2\r\nhi\r\n",
    "half an ASK": b"-ASK x\r\n",
    "a state without end": b'$28\r\n{"state":"open","epoch":' + b"9" * 2 + b"}\r\n",
}


class Hostile:
    """A proxy to a server that answers something else while ``payload`` is set."""

    def __init__(self, server):
        self.server, self.payload = server, b""

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._listener.close()

    async def _serve(self, reader, writer):
        back_reader, back = await asyncio.open_unix_connection(self.server.socket)

        async def up():
            with suppress(OSError):
                while data := await reader.read(65536):
                    (writer if self.payload else back).write(self.payload or data)
                    await (writer if self.payload else back).drain()
            back.close()

        async def down():
            with suppress(OSError):
                while data := await back_reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        with suppress(OSError):
            await asyncio.gather(up(), down())


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("late", [False, True], ids=["from the start", "later"])
async def test_what_a_port_sends_reaches_no_call_and_ends_no_task(server, payload, late):
    async with Hostile(server) as port:
        port.payload = b"" if late else payload
        async with replica(port.url, wait=late) as one:
            well = Dependency()
            if late:
                await trip(one)
                await due(one)
                port.payload = payload
                assert await outcome(one, well) == "well"
            else:
                await until(lambda: one.link.state is State.OPEN)
                assert await outcome(one, well) == "well"
                well.sick = True
                assert [await outcome(one, well) for _ in range(6)] == ["sick"] * 5 + ["refused"]
            port.payload = b""
            await until(lambda: one.link.state is State.CLOSED and not one.link.away)
            assert not one.link._task.done()
            assert not one._coordinator.replicator._task.done()


async def test_a_cluster_that_comes_later_is_found(tmp_path):
    port, bus = free_port(), free_port()
    registry = Breakers(f"redis+cluster://127.0.0.1:{port}")
    registry.make("dep")
    await registry.start()
    options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
    node = RedisServer(binaries()["valkey"], tmp_path / "node", options, port)
    try:
        await until(lambda: registry.link.state is State.OPEN)
        assert next(s for s in registry.status() if s.name == "redis").state is State.OPEN
        node.start().command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        await until(lambda: not registry.link.away)
    finally:
        await registry.close()
        node.stop()


async def test_a_fault_of_our_own_ends_sharing_only_for_a_moment(server, monkeypatch):
    from xnai.resilience.redis.connection import RedisLink  # noqa: PLC0415 - only here

    failed, arrived = [], RedisLink._arrived

    def once(self):
        if not failed:
            failed.append(True)
            raise BaseExceptionGroup("", [RuntimeError("a bug")])
        arrived(self)

    monkeypatch.setattr(RedisLink, "_arrived", once)
    async with replica(server.url) as one:
        assert failed
        assert not one.link.away


ILL = {
    "too few of its replicas are there, so it takes no changes": "-NOREPLICAS Not enough good",
    "another script keeps it busy": "-BUSY Redis is busy running a script",
    "the user may not do what breakers need": "-NOPERM this user has no permissions",
}


async def test_a_server_that_takes_no_changes_is_away_and_not_one_spoilt_key(server):
    server.command("CONFIG", "SET", "min-replicas-to-write", "3")
    async with replica(server.url, wait=False) as one:
        await until(lambda: one.link.state is State.OPEN)
        assert one.ear.reasons("redis") == [next(iter(ILL))]
        assert await outcome(one, Dependency()) == "well"
        server.command("CONFIG", "SET", "min-replicas-to-write", "0")
        await until(lambda: not one.link.away)


@pytest.mark.parametrize(("words", "reply"), ILL.items())
async def test_a_state_of_the_store_is_told_from_a_spoilt_key(words, reply):
    for text in (reply[1:], f"{reply[1:]} script: f_1, on @user_script:21."):
        trouble = classify(ResponseError(text), 0.25)
        assert (trouble.concerns, trouble.words) == ("store", words)
    spoilt = "WRONGTYPE Operation against a key script: f_1, on @user_script:21."
    assert classify(ResponseError(spoilt), 0.25).concerns == "key"


# --- replicas that disagree, operators, clocks


async def test_replicas_of_different_probes_never_wait_for_ever(server):
    well = Dependency()
    async with replica(server.url, probes=3) as old:
        await trip(old)
        await due(old)
        assert [await outcome(old, well) for _ in range(2)] == ["well", "well"]
        assert old.state is State.HALF_OPEN
    async with replica(server.url, probes=1) as new:
        async with asyncio.timeout(PATIENCE):
            while new.state is not State.CLOSED:
                await outcome(new, well)
                await asyncio.sleep(0.01)


class Script:
    """The script itself, with a clock of the test's."""

    def __init__(self, server):
        self.client = Redis(unix_socket_path=server.socket, decode_responses=True)
        self.now = 1_700_000_000_000

    def __call__(self, operation, replica="a", **arguments):
        told = {
            "open": 5000, "growth": 2, "longest": 120_000, "jitter": 1, "probes": 1, "lease": 3000,
            "half_open": 60_000, "active": 30_000, "quorum": 0.5, "failure_rate": 0.5,
            "slow_rate": 1, "min_calls": 10, "replica": replica, "lost": [], "clock": self.now,
            **arguments,
        }  # fmt: skip
        return json.loads(
            self.client.eval(SCRIPT, 3, *keys("x"), operation, channel("x"), json.dumps(told))
        )

    def post(self, replica, *, vote, edge=False, calls=5, epoch=0):
        row = {
            "epoch": epoch, "calls": calls, "failures": calls * vote, "slow": 0, "running": 0,
            "vote": int(vote), "edge": edge, "final": False, "reason": "it fails",
        }  # fmt: skip
        return self("post", replica, row=row)


@pytest.fixture
def script(server):
    one = Script(server)
    yield one
    one.client.close()


def test_a_clock_set_back_makes_no_open_time_longer(script):
    assert script.post("a", vote=True, edge=True)["wait"] == 5000
    script.now -= 600_000
    assert script.post("a", vote=False, epoch=1)["wait"] <= 5000
    script.now += 5000
    assert script("acquire", nonce="n", want=1)["state"] == "half_open"


def test_the_answer_of_the_last_idle_replica_opens_it(script):
    for idle in ("b", "c", "d"):
        script.post(idle, vote=False, calls=0)
    script.now += 1000
    assert script.post("a", vote=True, edge=True)["asked"]
    script.now += 3
    states = [script.post(idle, vote=False, calls=0)["state"] for idle in ("b", "c", "d")]
    assert states == ["closed", "closed", "open"]


def test_a_round_that_nothing_comes_of_begins_anew(script):
    script.post("a", vote=True, edge=True)
    script.now += 5000
    (held,) = script("acquire", "a", nonce="n", want=1)["tickets"]
    for _ in range(30):  # its holder renews it for ever
        script.now += 2000
        script("renew", "a", ticket=held)
    assert script("acquire", "b", nonce="m", want=1)["tickets"]
    assert not script("release", "a", ticket=held, result="failed", reason="late").get("held")


async def test_an_older_command_of_a_replica_that_was_cut_off_overrules_nothing(server):
    async with (
        Proxy(server.socket) as way,
        replica(f"redis://127.0.0.1:{way.port}") as cut_off,
        replica(server.url) as other,
    ):
        way.to_server = way.to_client = False
        await until(lambda: cut_off.link.away)
        for state in (State.CLOSED, State.DISABLED, State.FORCED_OPEN):
            await cut_off.set_state(state, "the older word")
        assert cut_off.state is State.FORCED_OPEN
        await asyncio.sleep(0.02)
        await other.set_state(State.CLOSED, "the newer word", clear=True)

        way.to_server = way.to_client = True
        await until(lambda: not cut_off.link.away)
        await until(lambda: cut_off.state is State.CLOSED)
        assert other.state is State.CLOSED
        assert cut_off.machine.fleet.order >= other.machine.fleet.order


async def test_a_newer_command_of_a_replica_that_was_cut_off_holds(server):
    async with (
        Proxy(server.socket) as way,
        replica(f"redis://127.0.0.1:{way.port}") as cut_off,
        replica(server.url) as other,
    ):
        await other.set_state(State.DISABLED, "the older word")
        await until(lambda: cut_off.state is State.DISABLED)
        way.to_server = way.to_client = False
        await until(lambda: cut_off.link.away)
        await cut_off.set_state(State.FORCED_OPEN, "the newer word")
        way.to_server = way.to_client = True
        await until(lambda: other.state is State.FORCED_OPEN)


async def test_a_breaker_made_after_the_start_is_shared(server):
    async with replica(server.url) as one, replica(server.url) as two:
        made = [each.registry.make("late", Config(**QUICK)) for each in (one, two)]
        await until(lambda: not any(each.machine.unsynced for each in made))
        await made[0].set_state(State.FORCED_OPEN, "by hand")
        await until(lambda: made[1].state is State.FORCED_OPEN)


@pytest.mark.parametrize("milliseconds", [250, 500])
async def test_a_cold_replica_far_from_its_store_leaks_no_call(server, milliseconds):
    async with replica(server.url, open_time=60) as known:
        await trip(known)
        async with Proxy(server.socket) as way:
            way.delay = milliseconds / 1000
            far = replica(f"redis://127.0.0.1:{way.port}", wait=False, open_time=60)
            async with far as cold:
                well = Dependency()
                assert {await outcome(cold, well) for _ in range(3)} == {"refused"}
                assert well.calls == 0


# --- what a guarded call is given


def boom(*_):
    raise KeyError("a bug in a predicate")


@pytest.mark.parametrize("which", ["ignore", "failed", "describe"])
async def test_a_predicate_that_raises_harms_no_call(which):
    it = Breaker("dep", Config(streak=3, **{which: boom}))
    dependency = Dependency()
    assert [await outcome(it, dependency) for _ in range(2)] == ["well", "well"]
    dependency.sick = True
    assert [await outcome(it, dependency) for _ in range(4)] == ["sick"] * 3 + ["refused"]
    assert it.machine.window.running == 0


async def test_exceptions_that_are_ignored_may_be_named_as_types():
    for ignore in (SickError, (ValueError, SickError)):
        it = Breaker("dep", Config(streak=1, ignore=ignore))
        dependency = Dependency()
        dependency.sick = True
        assert {await outcome(it, dependency) for _ in range(5)} == {"sick"}
        assert it.counts.ignored == 5


async def ends(_):
    return
    yield


async def goes_on(_):
    yield "late"


async def raises(_):
    raise SickError
    yield


@pytest.mark.parametrize("then", [ends, goes_on, raises])
async def test_a_producer_that_swallows_the_watchdogs_cancellation_has_failed(then):
    it = Breaker("dep", Config(streak=1, first_item=0.02))

    async def producer():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            async with aclosing(then(None)) as rest:
                async for item in rest:
                    yield item

    with pytest.raises(StreamTimeoutError):
        async with aclosing(it.stream(producer)) as items:
            async for _ in items:
                pass
    assert it.state is State.OPEN
    assert not asyncio.current_task().cancelling()


async def test_a_streaming_probe_is_judged_at_its_first_item(server):
    end = asyncio.Event()

    async def stream():
        yield "first"
        await end.wait()
        raise SickError

    async with replica(server.url, streak=1, lease=30) as one, replica(server.url) as other:
        await trip(one, other)
        await due(one)
        async with aclosing(one.stream(stream)) as items:
            assert await anext(items) == "first"
            await until(lambda: other.state is State.CLOSED)
            assert await outcome(other, Dependency()) == "well"
            await until(lambda: one.state is State.CLOSED)
            end.set()
            with pytest.raises(SickError):
                await anext(items)
        assert one.counts.failed >= 1
        assert one.machine.window.running == 0
