import asyncio
import threading
import time
from pathlib import Path

import structlog

from xnai.observability.loop_lag import LoopLag, LoopWatchdog


def block_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def watched(*stalls: float, pause: float) -> list[dict]:
    with structlog.testing.capture_logs() as lines:
        async with LoopLag(interval=0.01) as lag:
            watchdog = LoopWatchdog(lag, limit=0.05, pause=pause)
            watchdog.start()
            await asyncio.sleep(0.05)
            for seconds in stalls:
                block_the_loop(seconds)
                await asyncio.sleep(0.05)
            await watchdog.stop()
    return [line for line in lines if line["event"] == "the event loop lags"]


async def test_a_blocked_loop_is_told_with_the_place_and_no_words():
    (line,) = await watched(0.2, pause=10)
    assert Path(__file__).name in line["stack"]
    assert line["stack"].endswith("block_the_loop")
    assert line["seconds"] >= 0.05


async def test_a_loop_that_turns_is_not_told():
    assert await watched(0.01, 0.01, pause=10) == []


async def test_many_stalls_are_one_line_and_a_count():
    lines = await watched(0.15, 0.15, 0.15, pause=0.35)
    assert len(lines) < 3
    assert sum(line["earlier_untold"] + 1 for line in lines) in {1, 2, 3}


async def test_nothing_runs_on_after_the_end():
    await watched(pause=10)
    await asyncio.sleep(0.05)
    assert "event-loop-watchdog" not in {thread.name for thread in threading.enumerate()}
