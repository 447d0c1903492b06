import asyncio
from contextlib import aclosing

import pytest

from xnai.documents.jobs import Jobs
from xnai.documents.protocol import IngestProgress
from xnai.errors import FILE_EMPTY, NOT_FOUND, SHUTTING_DOWN, XnaiError
from xnai.types import Document

DONE = Document("d", "o", "f", "text/plain", 1, "", 0.0, status="processed", chunk_count=3)


class Work:
    """Work that goes on when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.failure: XnaiError | None = None

    async def run(self, _document_id, tell):
        self.begun += 1
        tell(IngestProgress("parsing", 1, 2))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure:
            raise self.failure
        return DONE


@pytest.fixture
def work():
    return Work()


@pytest.fixture
async def jobs(work):
    running = Jobs(work.run)
    yield running
    await running.close()


async def events_of(jobs):
    async with aclosing(jobs.follow("d")) as events:
        return [event async for event in events]


async def started(work, count=1):
    while work.begun < count:  # noqa: ASYNC110 - a few turns of the loop
        await asyncio.sleep(0)


async def test_two_followers_share_one_run_and_see_its_end(jobs, work):
    followers = [asyncio.create_task(events_of(jobs)) for _ in range(2)]
    await started(work)
    work.gate.set()
    expected = [IngestProgress("parsing", 1, 2), IngestProgress("storing", 3, 3, DONE)]
    assert [expected, expected] == await asyncio.gather(*followers)
    assert 1 == work.begun


async def test_a_failure_reaches_every_follower(jobs, work):
    followers = [asyncio.create_task(events_of(jobs)) for _ in range(2)]
    await started(work)
    work.failure = XnaiError(FILE_EMPTY, name="f")
    work.gate.set()
    ends = await asyncio.gather(*followers, return_exceptions=True)
    assert [FILE_EMPTY, FILE_EMPTY] == [end.kind for end in ends]


async def test_the_work_stops_with_its_last_follower(jobs, work):
    first, second = (jobs.follow("d") for _ in range(2))
    await anext(first)
    await anext(second)
    await first.aclose()
    assert 0 == work.cancelled
    await second.aclose()
    assert 1 == work.cancelled


async def test_work_in_background_outlives_its_followers(jobs, work):
    jobs.background("d")
    follower = jobs.follow("d")
    await anext(follower)
    await follower.aclose()
    assert 0 == work.cancelled


async def test_work_begun_while_the_old_is_stopping_waits_for_it(jobs, work):
    follower = jobs.follow("d")
    await anext(follower)
    leaving = asyncio.create_task(follower.aclose())
    await asyncio.sleep(0)
    jobs.background("d")
    await leaving
    await started(work, 2)
    assert (2, 1) == (work.begun, work.cancelled)


async def test_a_barred_document_is_stopped_and_cannot_be_begun(jobs, work):
    follower = asyncio.create_task(events_of(jobs))
    await started(work)
    async with jobs.barred("d"):
        assert 1 == work.cancelled
        with pytest.raises(XnaiError) as caught:
            jobs.background("d")
    with pytest.raises(XnaiError) as followed:
        await follower
    assert (NOT_FOUND, NOT_FOUND) == (caught.value.kind, followed.value.kind)


async def test_closing_ends_followers_with_shutting_down(jobs, work):
    follower = asyncio.create_task(events_of(jobs))
    await started(work)
    await jobs.close()
    with pytest.raises(XnaiError) as caught:
        await follower
    assert SHUTTING_DOWN == caught.value.kind


async def test_a_cancelled_follower_stays_cancelled(jobs, work):
    follower = asyncio.create_task(events_of(jobs))
    await started(work)
    follower.cancel()
    await asyncio.wait([follower])
    assert (True, 1) == (follower.cancelled(), work.cancelled)
