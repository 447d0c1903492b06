"""Every fault at every border ends in one catalogued error, or in an answer that says so.

The doors are derived from the code: every method of every Protocol of the program, and of the
classes that touch disk, history and the parser's process.
"""

import pytest
from borders import BORDERS, NO_BORDER, protocols
from fault_server import client_of
from steps import settle_in
from walk import AT_START, Walk, all_points

AIM = 0.95
pytestmark = pytest.mark.engine


def test_every_protocol_is_a_border_or_none_for_a_reason():
    kept = {name for _, _, names in BORDERS.values() for name in names}
    assert set(protocols()) == kept | set(NO_BORDER)


async def test_every_fault_at_every_border_ends_in_one_catalogued_error(server, tell):
    async with client_of(server) as client:
        walk = Walk(server, client)
        await settle_in(walk.visit)
        await walk.explore()
        assert walk.judge.problems == []
        await walk.go()
    wanted = {(p, f) for p in all_points() - AT_START for f in walk._faults(p)}
    share = len(walk.covered & wanted) / len(wanted)
    tell(f"\n{len(walk.covered)} of {len(wanted)} faults at borders let in: {share:.1%}; ")
    tell(f"{walk.judge.ends} ends; left out: {sorted({p for p, _ in wanted - walk.covered})}")
    assert walk.judge.problems == []
    assert share >= AIM
