import asyncio

from rig.waiting import eventually
from xnai.ui.server.server import drop_cancelled_timers


async def test_cancelled_timers_are_forgotten_and_the_others_fire_in_their_order():
    loop = asyncio.get_running_loop()
    fired: list[int] = []
    now = loop.time()
    timers = [loop.call_at(now + 0.001 * (i % 7), fired.append, i) for i in range(14)]
    for distant in [loop.call_later(300, fired.append, -1) for _ in range(60)]:
        distant.cancel()
    timers[3].cancel()

    drop_cancelled_timers(loop)

    assert not [timer for timer in loop._scheduled if timer.cancelled()]
    await eventually(lambda: len(fired) == 13)
    assert [i % 7 for i in fired] == sorted(i % 7 for i in range(14) if i != 3)
    loop.call_later(300, fired.append, -1).cancel()
    drop_cancelled_timers(loop)
    assert len([timer for timer in loop._scheduled if timer.cancelled()]) == 1
