"""Four processes of fifty tasks each on one dependency: the counts, not the times."""

import asyncio
import signal
import time

from rig.replicas import Served, check_log, fleet
from rig.waiting import PATIENCE, eventually

CONFIG = {"open_time": 0.8, "open_jitter": 0.0, "probes": 3, "lease": 0.6, "min_calls": 10}
IN_FLIGHT = 4 * 50


def epochs(process):
    return [line["epoch"] for line in process.found(event="transition", scope="fleet")]


async def test_a_dead_dependency_sees_few_calls_and_the_permitted_probes(redis, tmp_path):
    async with Served(tmp_path / "dep") as dependency:
        async with fleet(redis.url, dependency, config=CONFIG) as them:
            await asyncio.sleep(0.5)
            dependency.forget()
            dependency.well = False
            for one in them:
                await one.has(event="transition", state="open", scope="fleet")
            before_open = dependency.calls

            await asyncio.sleep(0.2)  # the last calls end
            dependency.forget()
            dependency.seconds = 0.1
            await them[0].has(event="transition", state="half_open", epoch=2)
            failed_round = max(line["at"] for line in them[0].found(state="half_open"))
            for one in them:
                await one.has(event="transition", state="open", epoch=3)
            probes_that_failed = dependency.calls
            await asyncio.sleep(0.2)

            dependency.forget()
            dependency.well = True
            deadline = time.monotonic() + PATIENCE
            most = 0
            while not all(one.found(event="transition", state="closed") for one in them):
                most = max(most, dependency.most_running)
                reached = dependency.calls
                assert time.monotonic() < deadline
                await asyncio.sleep(0)
        lines = [line for one in them for line in one.lines]

    assert failed_round
    assert before_open <= 1.25 * IN_FLIGHT
    assert 1 <= probes_that_failed <= 3
    assert most <= 3 or reached > 3
    rounds = check_log(lines, permitted=3)
    (closing,) = {line["epoch"] for line in lines if line.get("state") == "closed"}
    expired = {line["ticket"] for line in lines if line["event"] == "lost"}
    assert len(set(rounds[closing - 1]) - expired) == 3
    for one in them:
        assert epochs(one) == sorted(epochs(one))
    assert len({tuple(sorted(set(epochs(one)))) for one in them}) == 1


async def test_healthy_processes_are_not_bothered_by_a_sick_one(redis, tmp_path):
    each = ({"sick": True}, {}, {}, {})
    async with Served(tmp_path / "dep") as dependency:
        async with fleet(redis.url, dependency, each=each, config=CONFIG) as them:
            await asyncio.sleep(1.5)
        counts = [one.found(event="counts")[0] for one in them]

    assert [0, 0, 0] == [count["refused"] + count["failed"] for count in counts[1:]]
    assert all(count["well"] > 0 for count in counts[1:])
    assert counts[0]["refused"] / (counts[0]["refused"] + counts[0]["failed"]) >= 0.9


async def test_the_death_of_a_probes_holder_holds_nobody_up_longer_than_its_lease(valkey, tmp_path):
    config = {**CONFIG, "probes": 1}
    async with Served(tmp_path / "dep") as dependency:
        dependency.well = False
        async with fleet(valkey.url, dependency, config=config) as them:
            dependency.seconds = 0.02
            for one in them:
                await one.has(event="transition", state="open", scope="fleet")
            dependency.seconds = 30  # the probe will hang
            holder = await first(them, event="started")
            holder.signal(signal.SIGKILL)
            killed = time.monotonic()
            dependency.well, dependency.seconds = True, 0.02
            others = [one for one in them if one is not holder]
            following = await first(others, event="started")
            waited = following.found(event="started")[0]["at"] - killed
            for one in others:
                await one.has(event="transition", state="closed")

    assert waited < 10  # of the thirty seconds that the probe takes


async def first(processes, **wanted):
    def found():
        return next((one for one in processes if one.found(**wanted)), None)

    return await eventually(found, wanted, pace=0.002)


async def test_a_stopped_process_comes_back_to_the_fleets_state(valkey, tmp_path):
    async with Served(tmp_path / "dep") as dependency:
        async with fleet(valkey.url, dependency, config=CONFIG) as them:
            await asyncio.sleep(0.3)
            them[0].signal(signal.SIGSTOP)
            dependency.well = False
            for one in them[1:]:
                await one.has(event="transition", state="open", scope="fleet")
            dependency.well = True
            for one in them[1:]:
                await one.has(event="transition", state="closed")
            them[0].signal(signal.SIGCONT)
            await asyncio.sleep(1.0)
        last = [one.found(event="transition", scope="fleet")[-1] for one in them if epochs(one)]
        counts = them[0].found(event="counts")[0]

    assert {"closed"} == {line["state"] for line in last}
    assert counts["well"] > 0


async def test_a_holder_of_the_only_probe_that_was_stopped_goes_on_without_a_herd(valkey, tmp_path):
    config = {**CONFIG, "probes": 1, "open_time": 1.5}
    async with Served(tmp_path / "dep") as dependency:
        dependency.well = False
        async with fleet(valkey.url, dependency, 2, ({}, {}), tasks=20, config=config) as them:
            for one in them:
                await one.has(event="transition", state="open", scope="fleet")
            dependency.seconds = 0.3  # so that the holder is stopped in the middle
            holder = await first(them, event="started")
            holder.signal(signal.SIGSTOP)
            (other,) = [one for one in them if one is not holder]
            # Longer than lease and half-open: the other one has probed, and it is open anew.
            epoch = max(epochs(other))
            await eventually(lambda: max(epochs(other)) >= epoch + 2, "opened by the other one")
            dependency.forget()
            holder.signal(signal.SIGCONT)
            await asyncio.sleep(1.0)
            most, came = dependency.most_running, dependency.calls
            dependency.well, dependency.seconds = True, 0.02
            for one in them:
                await one.has(event="transition", state="closed")
        last = [one.found(event="transition", scope="fleet")[-1] for one in them]

    assert most <= 2  # the probe of then, which is void, and one of now
    assert came <= 2
    assert {"closed"} == {line["state"] for line in last}
    assert len({line["epoch"] for line in last}) == 1


async def test_clocks_that_are_wrong_and_clocks_that_jump_change_nothing(valkey, tmp_path):
    each = ({"skew": 600}, {"skew": -600}, {"jump": 3600}, {"jump": -3600})
    async with Served(tmp_path / "dep") as dependency:
        async with fleet(valkey.url, dependency, each=each, config=CONFIG) as them:
            await asyncio.sleep(0.3)
            dependency.well = False
            for one in them:
                await one.has(event="transition", state="open", scope="fleet")
            opened = [one.found(state="open", scope="fleet")[0]["at"] for one in them]
            dependency.well = True
            for one in them:
                await one.has(event="transition", state="closed")
            closed = [one.found(state="closed")[0]["at"] for one in them]
        lines = [line for one in them for line in one.lines]

    # Within seconds on a busy machine: ten minutes, were it for the clocks.
    assert max(opened) - min(opened) < 5
    assert max(closed) - min(closed) < 5
    assert all(0.6 < b - a < 30 for a, b in zip(opened, closed, strict=True))
    check_log(lines, permitted=3)
