import asyncio

import pytest

from xnai.answering.events import Done, Prompted, Retrieved, Token, Waiting
from xnai.answering.streams import ENDS, Stream, Streams, StreamState
from xnai.errors import ANSWER_TIMEOUT, INTERNAL, SHUTTING_DOWN, XnaiError
from xnai.observability import metrics
from xnai.types import Usage


def ended(state: StreamState) -> float:
    return metrics.registry.get_sample_value("xnai_streams_ended_total", {"state": state}) or 0


def stream(thread: str = "thread") -> Stream:
    return Stream("page", owner="me", message="message", thread=thread)


async def begun(streams: Streams, made: list[Stream]) -> asyncio.Task[None]:
    async def work() -> None:
        with streams.run(stream()) as running:
            made.append(running)
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(
    ("exc", "state"),
    [
        (XnaiError(ANSWER_TIMEOUT, seconds=1), StreamState.TIMED_OUT),
        (XnaiError(SHUTTING_DOWN), StreamState.SHUT_DOWN),
        (XnaiError(INTERNAL), StreamState.FAILED),
        (KeyError("x"), StreamState.FAILED),
        (asyncio.CancelledError(), StreamState.DISCONNECTED),
    ],
)
async def test_what_a_stream_raises_decides_how_it_ended(exc, state):
    before = {end: ended(end) for end in ENDS}
    streams, one = Streams(), stream()
    with pytest.raises(type(exc)), streams.run(one):
        raise exc
    assert one.state is state
    assert {end: ended(end) - before[end] for end in ENDS} == {
        end: float(end is state) for end in ENDS
    }
    assert streams.active == 0
    assert streams.of_thread("thread") is None


async def test_the_first_reason_counts_and_the_task_is_cancelled_once():
    streams, made = Streams(), []
    task = await begun(streams, made)
    made[0].cancel(StreamState.STOPPED)
    made[0].cancel(StreamState.DISCONNECTED)
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert made[0].state is StreamState.STOPPED


async def test_nothing_ends_a_stream_after_its_last_event():
    streams = Streams()
    with streams.run(stream()) as one:
        one.see(Done("stop", Usage(), (), 1.0))
        one.cancel(StreamState.STOPPED)
        await asyncio.sleep(0)
    assert one.state is StreamState.COMPLETED
    one.cancel(StreamState.STOPPED)
    assert one.state is StreamState.COMPLETED


async def test_the_events_of_an_answer_tell_where_it_is():
    one = stream()
    seen = [one.state]
    one.retrieving()
    seen.append(one.state)
    for event in (Retrieved((), 0.1), Prompted(1, 2, ()), Waiting(1, None), Token("a")):
        one.see(event)
        seen.append(one.state)
    assert seen == ["queued", "retrieving", "queued", "streaming", "queued", "streaming"]


async def test_closing_lets_answers_finish_and_then_ends_them():
    streams, made = Streams(), []

    async def quick() -> None:
        with streams.run(stream("other")) as one:
            made.append(one)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(quick())
    slow = await begun(streams, made)
    await streams.close(0.2)
    assert {one.thread: one.state for one in made} == {
        "other": StreamState.COMPLETED,
        "thread": StreamState.SHUT_DOWN,
    }
    assert task.done()
    await asyncio.gather(slow, return_exceptions=True)
    with pytest.raises(XnaiError, match="shutting down"), streams.run(stream()):
        pass
