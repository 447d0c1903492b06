import asyncio
import threading

from xnai.documents.text_work import ALONE, TextWork


async def test_one_person_has_few_under_way_and_another_begins_at_once():
    work, begun, end = TextWork(), list[str](), asyncio.Event()

    async def hold(owner: str) -> None:
        async with work.turn(owner):
            begun.append(owner)
            await end.wait()

    greedy = [asyncio.create_task(hold("ann")) for _ in range(50)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == ["ann"] * ALONE

    modest = asyncio.create_task(hold("bob"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == ["ann"] * ALONE + ["bob"]

    end.set()
    await asyncio.gather(*greedy, modest)
    assert begun.count("ann") == 50


async def test_a_turn_is_kept_until_its_thread_has_ended():
    work, started, end = TextWork(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        end.wait(30)

    async def question() -> None:
        async with work.turn("ann"):
            await work.run(slow)

    given_up = [asyncio.create_task(question()) for _ in range(ALONE)]
    await asyncio.to_thread(started.wait, 30)
    for task in given_up:
        task.cancel()

    begun = asyncio.Event()

    async def next_one() -> None:
        async with work.turn("ann"):
            begun.set()

    following = asyncio.create_task(next_one())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not begun.is_set()

    end.set()
    await following
    done = await asyncio.gather(*given_up, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in done)
