"""Trying again, with a budget."""

import asyncio
import time

import pytest
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
)

from rig.dependency import Ear
from xnai.resilience.events import Listeners, Retried, RetryRefused
from xnai.resilience.retry import (
    IfHealing,
    Retry,
    RetryBudget,
    RetryConfig,
    StopBeforeDeadline,
    StopWhenSpent,
    WaitAtLeast,
)


class FlakyError(Exception):
    def __init__(self, retry_after=None):
        super().__init__()
        self.retry_after = retry_after


class Flaky:
    """Fails with each of the given errors, then works."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def retry(ear=None, budget=None, **config):
    settings = RetryConfig(
        heals=lambda exc: isinstance(exc, FlakyError),
        retry_after=lambda exc: getattr(exc, "retry_after", None),
        **{"first": 0.01, "longest": 0.05, "attempts": 4, **config},
    )
    return Retry("dep", settings, budget, Listeners([ear] if ear else []))


async def test_it_calls_until_it_works():
    flaky, ear = Flaky(FlakyError(), FlakyError()), Ear()

    assert await retry(ear).call(flaky) == "done"
    assert flaky.calls == 3
    assert [1, 2] == [e.attempt for e in ear.events if isinstance(e, Retried)]


async def test_it_gives_up_after_its_attempts_with_the_last_error():
    last = FlakyError()
    flaky, ear = Flaky(FlakyError(), last, FlakyError()), Ear()

    with pytest.raises(FlakyError) as caught:
        await retry(ear, attempts=2).call(flaky)

    assert caught.value is last
    assert [RetryRefused("dep", 2, "attempts")] == ear.events[1:]


async def test_an_error_that_cannot_heal_is_not_tried_again():
    flaky = Flaky(ValueError("bad request"))

    with pytest.raises(ValueError, match="bad request"):
        await retry().call(flaky)
    assert flaky.calls == 1


async def test_cancellation_is_not_tried_again():
    flaky = Flaky(asyncio.CancelledError())

    with pytest.raises(asyncio.CancelledError):
        await retry().call(flaky)
    assert flaky.calls == 1


async def test_the_wait_is_never_shorter_than_what_the_server_asked_for():
    began = time.monotonic()

    await retry().call(Flaky(FlakyError(retry_after=0.2)))

    assert time.monotonic() - began >= 0.2


async def test_a_wait_past_the_deadline_is_not_begun():
    flaky, ear = Flaky(FlakyError(retry_after=30)), Ear()
    began = time.monotonic()

    with pytest.raises(FlakyError):
        await retry(ear).call(flaky, deadline=time.monotonic() + 1)

    assert time.monotonic() - began < 0.5
    assert [RetryRefused("dep", 1, "deadline")] == ear.events


async def test_the_deadline_ends_a_call_that_runs():
    async def slow():
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await retry().call(slow, deadline=time.monotonic() + 0.05)


async def test_waits_are_drawn_from_the_whole_growing_interval():
    waits = []
    for _ in range(60):
        ear = Ear()
        await retry(ear, first=0.001, longest=0.002).call(Flaky(FlakyError(), FlakyError()))
        waits.append([e.wait for e in ear.events])
    first, second = zip(*waits, strict=True)

    assert max(first) <= 0.001
    assert min(first) < 0.0003
    assert 0.001 < max(second) <= 0.002
    assert min(second) < 0.001


async def test_retries_of_an_outage_are_bounded_by_the_budget():
    it = retry(
        budget=RetryBudget(capacity=10, share=0.1, clock=lambda: 0.0), first=0.0001, longest=0.0002
    )
    calls = 0

    async def down():
        nonlocal calls
        calls += 1
        raise FlakyError

    for _ in range(100):
        with pytest.raises(FlakyError):
            await it.call(down)

    # Ten at first, and one for ten calls; without a budget it were 400.
    assert 110 < calls <= 120


async def test_calls_and_time_fill_the_budget_again():
    now = [0.0]
    budget = RetryBudget(capacity=2, share=0.5, every=4.0, clock=lambda: now[0])
    assert [True, True, False] == [budget.take() for _ in range(3)]
    it = retry(budget=budget)
    for _ in range(3):
        await it.call(Flaky())
    assert budget.tokens == 1.5
    assert budget.take()

    now[0] += 2.0
    assert budget.tokens == 1.0
    now[0] += 60.0
    assert budget.tokens == 2.0


class FlakyStream:
    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.opened = 0

    async def __call__(self):
        self.opened += 1
        for step in self.scripts.pop(0):
            if isinstance(step, BaseException):
                raise step
            yield step


async def test_a_stream_is_begun_again_while_nothing_was_shown():
    stream = FlakyStream([FlakyError()], ["waiting", FlakyError()], ["waiting", "text"])
    it = retry().stream(stream, is_shown=lambda item: item == "text")

    assert ["waiting", "waiting", "text"] == [item async for item in it]


async def test_a_stream_is_never_begun_again_after_its_first_text():
    stream = FlakyStream(["text", FlakyError()], ["text"])
    seen = []

    with pytest.raises(FlakyError):
        async for item in retry().stream(stream):
            seen.append(item)  # noqa: PERF401 - what came before the error is the point

    assert ["text"] == seen
    assert stream.opened == 1


async def test_closing_a_stream_closes_what_is_below_and_tries_nothing():
    stream = FlakyStream(["text", "more"])
    it = retry().stream(stream)
    assert await anext(it) == "text"
    await it.aclose()

    assert stream.opened == 1


def state(exc=None, attempt=1, sleep=0.0):
    """What tenacity shows its strategies after an attempt."""
    found = RetryCallState(AsyncRetrying(), None, (), {})
    found.attempt_number, found.upcoming_sleep = attempt, sleep
    if exc is not None:
        found.set_exception((type(exc), exc, None))
    return found


def test_each_strategy_decides_by_itself():
    again = IfHealing((FlakyError, TimeoutError))
    assert [again(state(exc)) for exc in (FlakyError(), ValueError(), None)] == [True, False, False]
    assert not IfHealing(BaseException)(state(asyncio.CancelledError()))
    assert not IfHealing(FlakyError, shown=lambda: True)(state(FlakyError()))

    wait = WaitAtLeast(wait_fixed(1), lambda exc: exc.retry_after)
    assert [wait(state(FlakyError(hint))) for hint in (None, 0.5, 3.0)] == [1.0, 1.0, 3.0]

    soon = StopBeforeDeadline(time.monotonic() + 60)
    assert [soon(state(sleep=seconds)) for seconds in (1.0, 61.0)] == [False, True]

    spent = StopWhenSpent(RetryBudget(capacity=1, clock=lambda: 0.0))
    assert [spent(state()), spent(state())] == [False, True]


async def test_an_attempt_that_another_limit_prevents_costs_no_token():
    it = retry(attempts=1, budget=RetryBudget(capacity=5, share=0.0, clock=lambda: 0.0))
    with pytest.raises(FlakyError):
        await it.call(Flaky(FlakyError()))
    assert it.budget.tokens == 5


async def test_the_strategies_combine_with_those_of_tenacity():
    flaky = Flaky(FlakyError(), FlakyError())
    retrying = AsyncRetrying(
        retry=IfHealing(FlakyError) | retry_if_exception_type(OSError),
        wait=wait_fixed(0),
        stop=StopWhenSpent(RetryBudget(capacity=2)) | stop_after_attempt(9),
    )
    assert await retrying(flaky) == "done"
