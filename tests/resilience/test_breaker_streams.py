"""Async streams behind a breaker."""

import asyncio
from contextlib import aclosing

import pytest

from rig.dependency import SickError, due, until
from xnai.resilience import Breaker, CircuitOpenError
from xnai.resilience.config import Config
from xnai.resilience.states import State
from xnai.resilience.stream import StreamTimeoutError


class Words:
    """A stream: items, and numbers for seconds of silence."""

    def __init__(self, *script):
        self.script = script
        self.closed = self.silent = False

    async def __call__(self):
        try:
            for step in self.script:
                if isinstance(step, float):
                    self.silent = True
                    await asyncio.sleep(step)
                elif isinstance(step, BaseException):
                    raise step
                else:
                    yield step
        finally:
            self.closed = True


def breaker(**config):
    return Breaker("dep", Config(**{"streak": 1, "open_jitter": 0.0, "open_time": 0.05, **config}))


async def read(it, words):
    return [item async for item in it.stream(words)]


async def test_a_stream_is_passed_on_whole_and_counts_as_one_call():
    it = breaker()

    assert ["a", "b"] == await read(it, Words("a", "b"))
    assert it.totals() == (1, 0, 0)


async def test_a_stream_that_dies_half_way_is_a_failure():
    it = breaker()
    words = Words("a", SickError())

    with pytest.raises(SickError):
        await read(it, words)

    assert it.state is State.OPEN
    with pytest.raises(CircuitOpenError):
        await read(it, words)


async def test_a_stream_closed_by_its_reader_is_neither():
    it, words = breaker(), Words("a", "b", "c")

    async with aclosing(it.stream(words)) as items:
        assert await anext(items) == "a"

    assert words.closed
    assert it.totals() == (0, 0, 0)
    assert it.counts.cancelled == 1


async def test_a_reader_cancelled_while_it_waits_is_neither():
    it, words = breaker(), Words("a", 60.0)
    task = asyncio.create_task(read(it, words))
    await until(lambda: words.silent)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert words.closed
    assert it.totals() == (0, 0, 0)


async def test_a_stream_that_does_not_begin_in_time_is_ended_as_a_failure():
    it, words = breaker(first_item=0.05), Words(60.0, "a")

    with pytest.raises(StreamTimeoutError, match=r"did not begin within 0\.05 s"):
        await read(it, words)

    assert words.closed
    assert it.state is State.OPEN
    assert not asyncio.current_task().cancelling()


async def test_a_stream_that_falls_silent_is_ended_as_a_failure():
    it = breaker(first_item=10.0, between_items=0.5)
    words = Words("a", 0.3, "b", 0.3, "c", 60.0)
    seen = []

    with pytest.raises(StreamTimeoutError, match=r"fell silent within 0\.5 s"):
        async for item in it.stream(words):
            seen.append(item)  # noqa: PERF401 - what came before the error is the point

    assert ["a", "b", "c"] == seen
    assert words.closed


async def test_a_slow_reader_is_not_the_streams_fault():
    it = breaker(between_items=0.05)
    seen = []
    async for item in it.stream(Words("a", "b", "c")):
        await asyncio.sleep(0.08)
        seen.append(item)

    assert ["a", "b", "c"] == seen
    assert it.totals() == (1, 0, 0)


async def test_one_timer_watches_a_stream_of_many_items():
    it = breaker(first_item=5.0, between_items=5.0)
    loop = asyncio.get_running_loop()
    timers, call_at = [], loop.call_at
    loop.call_at = lambda *a, **k: timers.append(a) or call_at(*a, **k)
    try:
        await read(it, Words(*range(5000)))
    finally:
        loop.call_at = call_at

    assert len(timers) <= 2


async def test_a_streaming_probe_closes_it_when_it_ends_well():
    it = breaker()
    with pytest.raises(SickError):
        await read(it, Words(SickError()))
    await due(it)

    assert ["a"] == await read(it, Words("a"))
    assert it.state is State.CLOSED


async def test_a_long_streaming_probe_that_has_begun_closes_it_after_its_time():
    it = breaker(probe_limit=0.1, lease=0.06)
    with pytest.raises(SickError):
        await read(it, Words(SickError()))
    await due(it)
    task = asyncio.create_task(read(it, Words("a", 1.5, "b")))
    await until(lambda: it.state is State.CLOSED)

    assert not task.done()
    assert ["a", "b"] == await task
    await it.close()


async def test_the_watchdog_leaves_the_cancellation_of_others_alone():
    it = breaker(first_item=0.05)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.02):
            await read(it, Words(60.0))

    assert not isinstance(caught.value, StreamTimeoutError)
    assert it.totals() == (0, 0, 0)
