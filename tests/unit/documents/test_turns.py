import asyncio

import pytest

from rig.waiting import PATIENCE, eventually
from xnai.documents.fair_queue import BatchQueue, ReadingQueue, ReadingTicket
from xnai.documents.turns import Readers, Turns
from xnai.settings import Settings
from xnai.types import Document

GB = 2**30


class Waiter:
    """A task that has a turn until it is told to end."""

    def __init__(self, turns, owner="a", **guesses) -> None:
        self.ticket = ReadingTicket(owner, **guesses)
        self.end = asyncio.Event()
        self.has_turn = False
        self.task = asyncio.create_task(self._run(turns))

    async def _run(self, turns) -> None:
        async with turns.turn(self.ticket):
            self.has_turn = True
            await self.end.wait()


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_is_cancelled_leaves_at_once_and_takes_nobodys_turn():
    turns = Turns(BatchQueue(1))
    first, second, third = (Waiter(turns) for _ in range(3))
    await settled()
    # Both in one turn of the loop: the second is chosen when it is cancelled already.
    second.task.cancel()
    first.task.cancel()
    await settled()
    assert (first.task.cancelled(), second.task.cancelled()) == (True, True)
    assert third.has_turn
    third.end.set()
    await third.task
    assert turns.running == []


async def test_a_hold_waits_for_those_under_way_and_keeps_the_others_out():
    turns = Turns(ReadingQueue(1, 2))
    under_way = Waiter(turns)
    await settled()
    held, over = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with turns.hold():
            held.set()
            await over.wait()

    holding = asyncio.create_task(hold())
    await settled()
    later = Waiter(turns, "b")
    await settled()
    assert (held.is_set(), later.has_turn) == (False, False)
    under_way.end.set()
    await held.wait()
    await settled()
    assert not later.has_turn
    over.set()
    await holding
    await settled()
    assert later.has_turn
    later.end.set()
    await later.task


async def test_a_hold_that_is_given_up_lets_the_others_in():
    turns = Turns(ReadingQueue(2, 3))
    under_way = Waiter(turns)
    await settled()
    async with asyncio.timeout(PATIENCE):
        entering = asyncio.create_task(turns.hold().__aenter__())
        await settled()
        later = Waiter(turns, "b")
        entering.cancel()
        await settled()
    assert later.has_turn
    for waiter in (under_way, later):
        waiter.end.set()
        await waiter.task


@pytest.mark.slow
async def test_memory_that_is_free_again_is_seen_without_anybody_leaving():
    room = False
    turns = Turns(ReadingQueue(2, 3), lambda _: room)
    first, second = Waiter(turns), Waiter(turns, "b")
    await settled()
    assert (first.has_turn, second.has_turn) == (True, False)
    room = True
    await eventually(lambda: second.has_turn)
    for waiter in (first, second):
        waiter.end.set()
        await waiter.task


def document(owner, size=1000, media_type="application/pdf"):
    return Document("d" + owner, owner, "f", media_type, size, "", 0.0)


@pytest.mark.parametrize(
    ("available", "owners", "expected"),
    [
        (16 * GB, "aaaaaaaa", 2),
        (16 * GB, "abcdefgh", 6),
        (0, "abcdefgh", 1),
        (int(1.1 * GB), "aab", 2),  # a second one of the same owner would leave no room for b
    ],
)
async def test_as_many_are_read_as_memory_allows(monkeypatch, available, owners, expected):
    monkeypatch.setattr("xnai.documents.turns.usable_cores", lambda: 2)
    readers = Readers(Settings(), lambda: available)
    begun = []

    async def read(owner) -> None:
        async with readers.turn(document(owner)):
            begun.append(owner)
            await asyncio.Event().wait()

    reading = [asyncio.create_task(read(owner)) for owner in owners]
    await settled()
    assert (len(begun), len(set(begun))) == (expected, min(expected, len(set(owners))))
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)


async def test_a_short_text_is_read_beside_a_large_file_in_little_memory(monkeypatch):
    monkeypatch.setattr("xnai.documents.turns.usable_cores", lambda: 2)
    readers = Readers(Settings(), lambda: int(0.8 * GB))
    large = readers.turn(document("a", 200_000))
    text = readers.turn(document("b", 10_000, "text/plain"))
    async with asyncio.timeout(PATIENCE), large, text:
        pass
