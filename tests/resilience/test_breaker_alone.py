"""The breaker of one process, without Redis."""

import asyncio

import pytest

from rig.dependency import Dependency, Ear, SickError, due, outcome, until
from xnai.resilience import Breaker, CircuitOpenError
from xnai.resilience.config import Config
from xnai.resilience.events import Listeners, ProbeEnded, Transition
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def dependency():
    return Dependency()


def breaker(clock, ear=None, **config):
    listeners = Listeners([ear] if ear else [])
    return Breaker("dep", Config(**{"open_jitter": 0.0, **config}), listeners, clock=clock)


async def test_a_streak_of_failures_opens_it_and_says_why(clock, ear, dependency):
    it = breaker(clock, ear, streak=3)
    dependency.sick = True

    ends = [await outcome(it, dependency) for _ in range(5)]

    assert ["sick"] * 3 + ["refused"] * 2 == ends
    assert dependency.calls == 3
    (opened,) = ear.events
    assert (State.CLOSED, State.OPEN, "replica") == (opened.old, opened.new, opened.scope)
    assert opened.reason == "3 calls in a row failed, the last: SickError"


async def test_a_failure_rate_needs_the_minimum_of_calls(clock, dependency):
    it = breaker(clock, streak=0, min_calls=6, failure_rate=0.5)
    for sick in (True, False, True, False, True):
        dependency.sick = sick
        await outcome(it, dependency)
    assert it.state is State.CLOSED

    dependency.sick = False
    await outcome(it, dependency)  # the sixth call, a good one: 3 of 6 failed

    assert it.state is State.OPEN
    assert it.reason == "3 of 6 calls within 30 s failed"


async def test_failures_older_than_the_window_are_forgotten(clock, dependency):
    it = breaker(clock, streak=0, min_calls=4, window=10.0)
    dependency.sick = True
    for _ in range(3):
        await outcome(it, dependency)

    clock.now += 11.0
    await outcome(it, dependency)

    assert it.state is State.CLOSED
    assert it.totals() == (1, 1, 0)


async def test_slow_calls_open_it_although_they_succeed(clock):
    it = breaker(clock, slow_call=2.0, slow_rate=0.5, min_calls=4)

    async def slow():
        clock.now += 2.5

    async def quick():
        pass

    for call in (quick, slow, quick):
        await it.call(call)
    assert it.state is State.CLOSED
    await it.call(slow)

    assert it.state is State.OPEN
    assert it.reason == "2 of 4 calls within 30 s took longer than 2 s"


async def test_after_the_open_time_as_many_probes_as_permitted_decide(clock, ear, dependency):
    it = breaker(clock, ear, streak=1, open_time=5.0, probes=2)
    dependency.sick = True
    await outcome(it, dependency)
    dependency.sick = False
    clock.now += 4.9
    assert await outcome(it, dependency) == "refused"

    clock.now += 0.2
    dependency.seconds = 0.01
    ends = await asyncio.gather(*(outcome(it, dependency) for _ in range(50)))

    assert ends.count("well") == 2
    assert it.state is State.CLOSED
    assert [("open", "replica"), ("half_open", "replica"), ("closed", "fleet")] == ear.states


async def test_a_failed_probe_opens_it_for_longer_each_time_up_to_the_longest(clock, dependency):
    it = breaker(clock, streak=1, open_time=5.0, open_growth=3.0, open_longest=40.0)
    dependency.sick = True
    waits = []
    for _ in range(4):
        await outcome(it, dependency)
        waits.append(it.retry_after)
        clock.now += waits[-1]

    assert [5.0, 15.0, 40.0, 40.0] == waits


async def test_the_open_time_is_shortened_by_a_random_part():
    config = Config(open_time=10.0, open_jitter=0.3)

    waits = {config.open_seconds(1) for _ in range(200)}

    assert 7.0 <= min(waits) < 7.5
    assert 9.5 < max(waits) <= 10.0


async def test_a_cancelled_call_is_neither_failure_nor_success(clock, dependency):
    it = breaker(clock, streak=1)
    dependency.seconds = 60
    task = asyncio.create_task(it.call(dependency))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert it.totals() == (0, 0, 0)
    assert it.counts.cancelled == 1


async def test_a_cancelled_probe_is_given_back_and_the_next_call_is_one(clock, ear, dependency):
    it = breaker(clock, ear, streak=1)
    dependency.sick = True
    await outcome(it, dependency)
    dependency.sick = False
    clock.now += 5
    dependency.seconds = 60
    task = asyncio.create_task(it.call(dependency))
    await until(lambda: dependency.running)
    assert await outcome(it, dependency) == "refused"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: any(isinstance(event, ProbeEnded) for event in ear.events))

    dependency.seconds = 0
    assert await outcome(it, dependency) == "well"
    results = [e.result for e in ear.events if isinstance(e, ProbeEnded)]
    assert ["returned", "succeeded"] == results


async def test_a_probe_that_never_ends_is_judged_when_its_time_is_over(ear, dependency):
    config = Config(streak=1, open_time=0.05, open_jitter=0, probe_limit=0.1, lease=0.1)
    it = Breaker("dep", config, Listeners([ear]))
    dependency.sick = True
    await outcome(it, dependency)
    await due(it)
    dependency.seconds = 60
    task = asyncio.create_task(it.call(dependency))
    await until(lambda: it.reason == "a probe took longer than 0.1 s")

    assert it.state is State.OPEN
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await it.close()


async def test_errors_that_are_the_callers_fault_are_not_counted(clock):
    it = breaker(clock, streak=1, ignore=lambda exc: isinstance(exc, ValueError))

    async def refuse():
        raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError, match=r"^$"):
            await it.call(refuse)

    assert it.state is State.CLOSED
    assert it.counts.ignored == 3


async def test_a_result_can_be_a_failure(clock):
    it = breaker(clock, streak=2, failed=lambda status: status == 503)

    async def status():
        return 503

    assert [503, 503] == [await it.call(status) for _ in range(2)]
    assert it.state is State.OPEN


async def test_outcomes_of_calls_that_began_before_a_change_are_dropped(clock, dependency):
    it = breaker(clock, streak=1)
    dependency.seconds = 0.02
    dependency.sick = True
    late = asyncio.create_task(outcome(it, dependency))
    await until(lambda: dependency.running)
    await it.set_state(State.CLOSED, "reset by hand", clear=True)
    await late

    assert it.state is State.CLOSED
    assert it.totals() == (0, 0, 0)


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        (State.FORCED_OPEN, ["refused"] * 12),
        (State.DISABLED, ["sick"] * 12),
        (State.METRICS_ONLY, ["sick"] * 12),
    ],
)
async def test_an_operators_state_stays_whatever_the_calls_do(clock, dependency, state, ends):
    it = breaker(clock)
    await it.set_state(state, "maintenance")
    dependency.sick = True

    assert ends == [await outcome(it, dependency) for _ in range(12)]
    clock.now += 3600
    assert it.state is state
    assert it.reason == "maintenance"


async def test_metrics_only_counts_what_it_lets_through(clock, dependency):
    it = breaker(clock)
    await it.set_state(State.METRICS_ONLY, "watching")
    dependency.sick = True
    for _ in range(4):
        await outcome(it, dependency)

    assert it.totals() == (4, 4, 0)
    await it.set_state(State.CLOSED, "enough seen")
    assert await outcome(it, dependency) == "sick"


async def test_an_open_breaker_says_when_to_come_again(clock, dependency):
    it = breaker(clock, streak=1, open_time=5.0)
    dependency.sick = True
    await outcome(it, dependency)
    clock.now += 2

    with pytest.raises(
        CircuitOpenError, match=r"dep is open, next attempt in 3\.0 s: 1 call in a row failed"
    ):
        await it.call(dependency)


async def test_a_block_of_code_can_be_guarded(clock):
    it = breaker(clock, streak=2)
    async with it.attempt() as attempt:
        attempt.failed()
    with pytest.raises(SickError):
        async with it.attempt():
            raise SickError

    with pytest.raises(CircuitOpenError):
        async with it.attempt():
            pytest.fail("it must not be entered")
    assert (it.counts.failed, it.counts.rejected) == (2, 1)


async def test_a_listener_that_fails_harms_nobody(clock, dependency):
    class Broken:
        def on_event(self, event):
            raise RuntimeError

    it = breaker(clock, Broken(), streak=1)
    dependency.sick = True

    assert await outcome(it, dependency) == "sick"
    assert await outcome(it, dependency) == "refused"


async def test_the_time_it_was_open_is_added_up(clock, ear, dependency):
    it = breaker(clock, ear, streak=1, open_time=5.0)
    for _ in range(2):
        dependency.sick = True
        await outcome(it, dependency)
        dependency.sick = False
        clock.now += 7
        assert await outcome(it, dependency) == "well"

    assert it.machine.open_seconds == 14.0
    closings = [e for e in ear.events if isinstance(e, Transition) and e.new is State.CLOSED]
    assert len(closings) == 2


@pytest.mark.parametrize("name", ["", "a b", "x{y}", "ä", "n" * 121])
def test_a_name_that_cannot_be_a_key_is_refused(name):
    with pytest.raises(ValueError, match="no name of a breaker"):
        Breaker(name)


@pytest.mark.parametrize(
    "wrong",
    [{"failure_rate": 0}, {"probes": 0}, {"window": 0}, {"quorum": 1}, {"open_growth": 0.5}],
)
def test_a_setting_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        Config(**wrong)


async def test_only_what_is_recorded_counts_and_of_that_not_what_is_ignored(clock):
    it = breaker(clock, streak=1, record=(OSError, SickError), ignore=(ConnectionError,))

    async def fail(error):
        raise error

    for error in (ValueError(), ConnectionResetError()):
        with pytest.raises(type(error)):
            await it.call(fail, error)
    assert (it.state, it.counts.ignored) == (State.CLOSED, 2)

    with pytest.raises(FileNotFoundError):
        await it.call(fail, FileNotFoundError())
    assert it.state is State.OPEN


async def test_a_function_is_decorated_and_keeps_its_name_and_words(clock):
    it = breaker(clock, streak=1)

    @it
    async def charge(amount, *, twice=False):
        """Charge."""
        if amount < 0:
            raise SickError
        return amount * (1 + twice)

    assert (charge.__name__, charge.__doc__) == ("charge", "Charge.")
    assert await charge(3, twice=True) == 6
    with pytest.raises(SickError):
        await charge(-1)
    with pytest.raises(CircuitOpenError):
        await charge(3)
    assert (it.counts.succeeded, it.counts.failed, it.counts.rejected) == (1, 1, 1)


async def test_an_async_generator_is_decorated_as_one_call(clock):
    it = breaker(clock, streak=1)

    @it
    async def words(text):
        for word in text.split():
            yield word
        raise SickError

    seen = []
    with pytest.raises(SickError):
        async for word in words("a b"):
            seen.append(word)  # noqa: PERF401 - what came before the error is the point
    assert seen == ["a", "b"]
    assert it.state is State.OPEN
    with pytest.raises(CircuitOpenError):
        await anext(words("a b"))


def test_a_function_whose_result_tells_nothing_cannot_be_decorated(clock):
    with pytest.raises(TypeError, match="charge is neither"):

        @breaker(clock)
        def charge():
            pass


async def test_breakers_start_and_end_with_their_block():
    breakers = Breakers("redis://127.0.0.1:1")
    before = breakers.make("before")
    async with breakers as entered:
        assert entered is breakers
        later = breakers.make("later")
        assert await outcome(before, Dependency()) == await outcome(later, Dependency()) == "well"
    assert breakers.link._task.done()
    assert all(one._coordinator.replicator._task.done() for one in breakers)
