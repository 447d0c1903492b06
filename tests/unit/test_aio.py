"""What stands beside asyncio."""

import asyncio
import time

import pytest

from xnai.aio import Background, Deadline, cancel_and_wait, in_thread, sleep_to_tick


def test_a_deadline_that_has_passed_leaves_nothing():
    late = Deadline(time.monotonic() - 1)
    assert (late.left, late.is_over) == (0.0, True)


async def test_nobody_waits_past_a_deadline():
    with pytest.raises(TimeoutError):
        async with Deadline.after(0).timeout():
            await asyncio.Event().wait()


def test_a_deadline_that_is_to_come_is_not_over():
    soon = Deadline.after(3600)
    assert 3500 < soon.left <= 3600
    assert not soon.is_over


async def test_work_in_a_thread_returns_and_raises_as_if_it_were_here():
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    assert 3 == await in_thread(lambda: 1 + 2)


async def test_tasks_have_ended_when_they_were_cancelled_and_waited_for():
    ended = []

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    tasks = [asyncio.create_task(slow_to_end()) for _ in range(2)]
    await asyncio.sleep(0)
    await cancel_and_wait(None, *tasks)
    assert (ended, [task.cancelled() for task in tasks]) == ([True, True], [True, True])


async def test_work_in_the_background_begins_once_and_can_begin_again():
    begun = []

    async def work() -> None:
        begun.append(asyncio.current_task().get_name())
        await asyncio.Event().wait()

    background = Background(work, "a name")
    for _ in range(2):
        background.start()
        background.start()
        await asyncio.sleep(0)
        assert background.runs
        await background.stop()
        await background.stop()
        assert not background.runs
    assert begun == ["a name", "a name"]


async def test_timers_that_nobody_waits_for_go_off_together(monkeypatch):
    loop, due = asyncio.get_running_loop(), []

    async def sleep(seconds: float) -> None:
        assert 0 < seconds <= 10
        due.append(loop.time() + seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(3):
        await sleep_to_tick(10.0)
    assert all(at % 10 < 1 for at in due)  # less what passes in between
