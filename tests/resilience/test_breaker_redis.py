"""Replicas that share a breaker through a real server."""

import asyncio
import json
import time

from proxy import Proxy

from rig.dependency import Dependency, Ear, SickError, due, outcome, until, until_well
from rig.waiting import PATIENCE, stays
from xnai.resilience.events import ProbeEnded, ProbeStarted
from xnai.resilience.redis import wire
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State
from xnai.resilience.store import StoreAwayError


def state_in(redis):
    """The fields of the state's hash, as the server has them."""
    words = redis.command("HGETALL", "cb:{dep}").decode().split("\r\n")[2::2]
    return dict(zip(words[::2], words[1::2], strict=False))


async def fail(breaker, dependency, times=5):
    dependency.sick = True
    for _ in range(times):
        await outcome(breaker, dependency)


async def opened(redis, replicas, count=2, **config):
    """Replicas whose fleet is open, and their dependency."""
    them = [await replicas.add(redis.url, **config) for _ in range(count)]
    dependency = Dependency()
    for one in them:
        await fail(one, dependency)
    await until(lambda: all(one.machine.fleet.state is State.OPEN for one in them))
    return them, dependency


async def test_when_most_replicas_agree_the_fleet_opens_and_all_learn_it(redis, replicas):
    idle = await replicas.add(redis.url)
    (first, second), _ = await opened(redis, replicas)

    await until(lambda: idle.state is State.OPEN)
    assert ("open", "fleet") == idle.ear.states[-1]
    assert "of 2 replicas: 5 calls in a row failed, the last: SickError" in idle.reason
    assert await outcome(idle, Dependency()) == "refused"
    assert {1} == {one.machine.fleet.epoch for one in (idle, first, second)}


async def test_one_sick_replica_of_four_stands_alone(redis, replicas):
    them = [await replicas.add(redis.url) for _ in range(4)]
    well = Dependency()
    sick = Dependency()
    sick.sick = True
    ends = {one: [] for one in them}
    finish = time.monotonic() + 1.5
    while time.monotonic() < finish:
        for one in them:
            ends[one].append(await outcome(one, sick if one is them[0] else well))
        await asyncio.sleep(0.005)

    assert all(set(ends[one]) == {"well"} for one in them[1:])
    assert ends[them[0]].count("refused") / len(ends[them[0]]) >= 0.9
    assert {State.CLOSED} == {one.machine.fleet.state for one in them}
    assert ("open", "replica") in them[0].ear.states


async def test_a_sick_replica_does_not_get_its_way_when_the_others_have_nothing_to_do(
    redis, replicas
):
    them = [await replicas.add(redis.url, window=1.0) for _ in range(2)]
    well, sick = Dependency(), Dependency()
    sick.sick = True
    await outcome(them[1], well)
    await fail(them[0], sick)
    finish = time.monotonic() + 2.0
    while time.monotonic() < finish:  # the other's calls fall out of the window meanwhile
        await outcome(them[0], sick)
        await asyncio.sleep(0.02)

    assert {State.CLOSED} == {one.machine.fleet.state for one in them}
    assert them[0].state in {State.OPEN, State.HALF_OPEN}


async def test_few_calls_of_each_replica_open_the_fleet_together(redis, replicas):
    them = [await replicas.add(redis.url, streak=0, min_calls=8) for _ in range(4)]
    dependency = Dependency()
    for one in them:
        await fail(one, dependency, times=2)

    await until(lambda: all(one.state is State.OPEN for one in them))
    assert ("open", "replica") not in [state for one in them for state in one.ear.states]


async def test_in_half_open_exactly_the_permitted_probes_get_through(redis, replicas):
    them, dependency = await opened(redis, replicas, count=4, probes=3)
    before = dependency.calls
    dependency.sick, dependency.seconds = False, 0.1
    await due(*them)

    async def knock(one):
        while one.state is not State.CLOSED:
            await outcome(one, dependency)
            await asyncio.sleep(0.001)

    dependency.most_running = 0
    seen = []

    async def watch():
        while any(one.state is not State.CLOSED for one in them):
            seen.append(dependency.calls - before)
            await asyncio.sleep(0.001)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(watch())
        for one in them:
            for _ in range(20):
                group.create_task(knock(one))

    started = [e for one in them for e in one.ear.events if isinstance(e, ProbeStarted)]
    assert len(started) == 3
    assert len({probe.ticket for probe in started}) == 3


async def test_a_failed_probe_opens_it_again_for_longer(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, open_time=1, open_growth=3)
    await due(first)

    assert await outcome(first, dependency) == "sick"
    await until(lambda: second.machine.fleet.epoch == 3)
    assert second.state is State.OPEN
    assert 1 < second.machine.fleet.until - time.monotonic() <= 3
    assert second.reason == "a probe failed: SickError"


async def test_a_cancelled_probe_is_given_back_to_the_fleet(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, lease=30)
    dependency.sick, dependency.seconds = False, 60
    await due(first)
    task = asyncio.create_task(first.call(dependency))
    await until(lambda: second.state is State.HALF_OPEN)
    dependency.seconds = 0
    assert await outcome(second, dependency) == "refused"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    await until(lambda: second.machine.fleet.free == 1)
    assert await outcome(second, dependency) == "well"
    assert second.state is State.CLOSED


async def test_a_call_cancelled_while_it_asks_for_a_probe_leaves_none_behind(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, lease=30)
    dependency.sick = False
    await due(first)
    task = asyncio.create_task(first.call(dependency))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until_well(second, dependency)  # long before the lease is over


class LosesAReply:
    """Runs scripts, but what Redis replies to the next one is lost on its way."""

    def __init__(self, link):
        self.link, self.away = link, False
        self.loses = True

    async def run(self, keys, arguments, lane="calls"):
        reply = await self.link.run(keys, arguments, lane)
        if self.loses and arguments[0] == "acquire":
            self.loses = False
            raise StoreAwayError("the reply is lost")
        return reply


async def test_a_probe_whose_ticket_was_lost_on_its_way_keeps_nobody_waiting(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, lease=30)
    dependency.sick, dependency.seconds = False, 60
    await due(first)
    first._coordinator.replicator._store._runner = LosesAReply(first.link)
    task = asyncio.create_task(first.call(dependency))
    await until(lambda: second.state is State.HALF_OPEN)
    assert second.machine.fleet.free == 0

    await until(lambda: second.machine.fleet.free == 1)
    dependency.seconds = 0
    assert await outcome(second, dependency) == "well"
    assert second.state is State.CLOSED
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_probe_whose_holder_is_silent_expires_and_its_late_result_is_void(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, lease=1.0)
    await due(first)
    release, holds = asyncio.Event(), asyncio.Event()

    async def hangs():
        (holding,) = first._coordinator.probes._held
        holding.holding.cancel()  # the holder's heart stops, as under SIGSTOP
        holds.set()
        await release.wait()
        raise TimeoutError

    task = asyncio.create_task(outcome_of(first, hangs))
    await asyncio.wait_for(holds.wait(), PATIENCE)
    began = time.monotonic()
    await until(lambda: second.state is State.HALF_OPEN)
    dependency.sick = False
    await until_well(second, dependency)
    assert time.monotonic() - began > 0.5
    await until(lambda: first.state is State.CLOSED)

    release.set()
    await task
    assert {State.CLOSED} == {first.state, second.state}
    assert ["lost"] == [e.result for e in first.ear.events if isinstance(e, ProbeEnded)]


async def outcome_of(breaker, function):
    try:
        return await breaker.call(function)
    except TimeoutError:
        return "timed out"


async def test_a_long_probe_keeps_its_lease_by_heartbeat(redis, replicas):
    (first, second), dependency = await opened(redis, replicas, lease=1.0)
    dependency.sick, dependency.seconds = False, 2.5
    await due(first)
    calls = dependency.calls
    task = asyncio.create_task(first.call(dependency))
    await until(lambda: second.state is State.HALF_OPEN)
    while not task.done():
        assert await outcome(second, dependency) in {"refused", "well"}
        await asyncio.sleep(0.01)

    assert await task == "well"
    probes = [e for one in (first, second) for e in one.ear.events if isinstance(e, ProbeStarted)]
    assert len(probes) == 1
    assert dependency.calls >= calls + 1


async def test_a_cold_replica_lets_nothing_through_while_the_fleet_is_open(redis, replicas):
    await opened(redis, replicas, open_time=30)
    cold = await replicas.add(redis.url)
    dependency = Dependency()

    assert {"refused"} == {await outcome(cold, dependency) for _ in range(20)}
    assert dependency.calls == 0


async def test_an_open_circuit_survives_the_loss_of_all_data(redis, replicas):
    them, _ = await opened(redis, replicas, open_time=30)
    redis.command("FLUSHALL")
    cold = await replicas.add(redis.url)
    dependency = Dependency()

    assert {"refused"} == {await outcome(cold, dependency) for _ in range(20)}
    assert dependency.calls == 0
    assert state_in(redis)["state"] == "open"
    assert {State.OPEN} == {one.state for one in them}


async def test_an_operators_state_survives_the_loss_of_all_data(redis, replicas):
    one, other = [await replicas.add(redis.url) for _ in range(2)]
    await one.set_state(State.FORCED_OPEN, "maintenance")
    await until(lambda: other.state is State.FORCED_OPEN)
    redis.command("FLUSHALL")
    cold = await replicas.add(redis.url)

    assert cold.state is State.FORCED_OPEN
    assert cold.reason == "maintenance"


async def test_scripts_that_were_flushed_are_loaded_again(redis, replicas):
    (first, _), dependency = await opened(redis, replicas)
    redis.command("SCRIPT", "FLUSH")
    dependency.sick = False
    await due(first)

    assert await outcome(first, dependency) == "well"
    assert first.state is State.CLOSED
    assert first.ear.reasons("redis") == []


async def test_a_reset_bumps_the_epoch_and_clears_what_was_seen(redis, replicas):
    (first, second), dependency = await opened(redis, replicas)
    await first.set_state(State.CLOSED, "reset by hand", clear=True)

    await until(lambda: second.state is State.CLOSED)
    assert second.machine.fleet.epoch == 2
    assert (0, 0, 0) == second.totals()
    dependency.sick = False
    assert await outcome(second, dependency) == "well"


async def test_outcomes_of_an_old_epoch_do_not_count(redis, replicas):
    (first, second), _ = await opened(redis, replicas)
    begun, end = [], asyncio.Event()

    async def late():
        begun.append(True)
        await end.wait()
        raise SickError

    await first.set_state(State.CLOSED, "closed by hand")
    await until(lambda: second.state is State.CLOSED)
    calls = [asyncio.create_task(outcome(second, late)) for _ in range(20)]
    await until(lambda: len(begun) == 20)
    await first.set_state(State.CLOSED, "reset by hand", clear=True)
    await until(lambda: second.machine.fleet.epoch == first.machine.fleet.epoch)
    end.set()
    await asyncio.gather(*calls)

    await stays(lambda: {State.CLOSED} == {first.state, second.state}, seconds=0.2)


async def test_no_call_costs_a_round_trip_while_closed_or_open(redis, replicas):
    one = await replicas.add(redis.url, open_time=60)
    dependency = Dependency()
    counts = one.link.counts

    async def spend(seconds):
        calls, before, finish = 0, counts.succeeded, time.monotonic() + seconds
        while time.monotonic() < finish:
            await outcome(one, dependency)
            calls += 1
            if not calls % 100:
                await asyncio.sleep(0)
        return calls, counts.succeeded - before

    calls, trips = await spend(1.0)
    assert calls > 1000
    assert trips <= 10
    dependency.sick = True
    await fail(one, dependency)
    await until(lambda: one.state is State.OPEN and one.machine.scope == "fleet")
    calls, trips = await spend(1.0)
    assert calls > 1000
    assert trips <= 10


async def test_a_quiet_fleet_does_not_keep_asking_itself(redis, replicas):
    them = [await replicas.add(redis.url, resync=5) for _ in range(3)]
    before = sum(one.link.counts.succeeded for one in them)
    await asyncio.sleep(1.0)

    assert sum(one.link.counts.succeeded for one in them) - before <= 3


async def test_one_connection_for_messages_and_few_for_scripts_serve_all_breakers(redis, replicas):
    registry = (await replicas.add(redis.url)).registry
    await registry.close()
    many = Breakers(redis.url)
    made = [many.make(f"dep{n}") for n in range(20)]
    await many.start()
    await asyncio.gather(*(one.ready() for one in made))
    clients = redis.command("CLIENT", "LIST").decode()
    subscribed = [line for line in clients.splitlines() if " sub=20 " in line]
    await many.close()

    assert len(subscribed) == 1


async def test_garbled_messages_harm_nobody(redis, replicas):
    one = await replicas.add(redis.url)
    for garbage in ("", "[]", "{}", json.dumps({"state": "open", "epoch": "9"}), "\xff" * 50):
        redis.command("PUBLISH", "cb:{dep}:ev", garbage)

    await stays(lambda: one.state is State.CLOSED)
    assert await outcome(one, Dependency()) == "well"


async def test_a_key_of_somebody_else_leaves_one_breaker_to_its_replica_and_harms_no_other(redis):
    redis.command("SET", "cb:{spoilt}", "somebody else's")
    ear = Ear()
    both = [Breakers(redis.url, [ear]) for _ in range(2)]
    spoilt, sound = [[one.make(name) for one in both] for name in ("spoilt", "sound")]
    for registry in both:
        await registry.start()
    await until(lambda: not any(registry.link.away for registry in both))
    dependency = Dependency()
    for one in (spoilt[0], sound[0]):
        dependency.sick = False
        assert await outcome(one, dependency) == "well"
        await fail(one, dependency)
    await until(lambda: sound[1].state is State.OPEN)
    for registry in both:
        await registry.close()

    assert [State.OPEN, State.CLOSED] == [one.state for one in spoilt]
    assert [] == ear.reasons("redis")


async def test_what_redis_sends_is_parsed_once(redis, replicas, monkeypatch):
    one = await replicas.add(redis.url, resync=60.0)
    parsed, parse = [], wire.parse
    monkeypatch.setattr(wire, "parse", lambda text: parsed.append(text) or parse(text))
    before = one.link.counts.succeeded

    await one.set_state(State.DISABLED, "maintenance")
    await until(lambda: len(parsed) > 1)  # the reply, and what was published

    assert one.link.counts.succeeded == before + 1
    assert len(parsed) == 2


async def test_while_the_store_is_asked_for_the_only_probe_all_others_are_refused(valkey, replicas):
    async with Proxy(valkey.socket) as way:
        one = await replicas.add(f"redis://127.0.0.1:{way.port}", resync=60.0)
        dependency = Dependency()
        await fail(one, dependency)
        await until(lambda: one.machine.fleet.state is State.OPEN)
        dependency.sick = False
        assert one.rejecting
        await until(lambda: not one.rejecting)

        way.to_server = False
        probing = asyncio.create_task(outcome(one, dependency))
        await asyncio.sleep(0)
        assert one.rejecting
        way.to_server = True
        assert await probing == "well"
