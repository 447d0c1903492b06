"""An old and a new version of the script on the same keys, as during a rolling update."""

from rig.dependency import QUICK, Dependency, Ear, due, outcome, until
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.events import Listeners
from xnai.resilience.redis.address import parse_address
from xnai.resilience.redis.connection import RedisLink
from xnai.resilience.redis.store import SCRIPT
from xnai.resilience.states import State

# What a later version may do: more fields in the state, the rows and the snapshot.
NEWER = (
    SCRIPT.replace("hash, 'state', c.state,", "hash, 'zone', 'b', 'state', c.state,")
    .replace("whole(row.running)}, ' '))", "whole(row.running), '17', 'x'}, ' '))")
    .replace("free = 0, lease = 0,", "free = 0, lease = 0, zone = 'b', weights = {1, 2},")
)  # fmt: skip


def replica(redis, name, script):
    """A breaker whose link runs the given version."""
    ear = Ear()
    listeners = Listeners([ear])
    link = RedisLink(parse_address(redis.url), name, listeners, script)
    breaker = Breaker("dep", Config(**QUICK), listeners, link)
    return breaker, link, ear


async def test_old_and_new_replicas_open_probe_and_close_together(redis):
    assert NEWER.count("zone") == 2
    assert "'17'" in NEWER
    made = [replica(redis, "old", SCRIPT), replica(redis, "new", NEWER)]
    try:
        for breaker, link, _ in made:
            link.start()
            breaker.start()
        await until(lambda: not any(link.away for _, link, _ in made))
        dependency = Dependency()
        for prober, _, _ in (made[0], made[1]):
            dependency.sick = True
            for breaker, _, _ in made:
                for _ in range(5):
                    await outcome(breaker, dependency)
            await until(lambda: all(b.machine.fleet.state is State.OPEN for b, _, _ in made))
            dependency.sick = False
            await due(prober)
            assert await outcome(prober, dependency) == "well"
            await until(lambda: all(b.state is State.CLOSED for b, _, _ in made))
        assert [[], []] == [ear.reasons("redis") for _, _, ear in made]
        assert b"zone" in redis.command("HGETALL", "cb:{dep}")
    finally:
        for breaker, link, _ in made:
            await breaker.close()
            await link.close()
