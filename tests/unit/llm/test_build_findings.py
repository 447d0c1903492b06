"""What follows from measurements of a model, and that they are kept."""

import pytest

from xnai.llm.calibration.choice import (
    AS_USUAL,
    ORIGINAL,
    Findings,
    FindingsFile,
    Speed,
    Tuning,
)
from xnai.llm.engine.estimates import Rates, Work

SLOW, FAST = Speed(200, 14), Speed(250, 20)


def findings(**changes: object) -> Findings:
    values = {
        "speeds": {ORIGINAL: (SLOW,) * 3, "Q4_0": (FAST,) * 3},
        "good": ("Q4_0", "Q8_0"),
        "done": True,
    }
    return Findings(**{**values, **changes})


def test_the_fastest_copy_is_run():
    assert "Q4_0" == findings().copy


def test_a_fast_copy_that_answers_otherwise_is_not_run():
    assert ORIGINAL == findings(out={"Q4_0": "diverges by 0.034 nats"}).copy


def test_a_copy_whose_answers_were_not_compared_is_not_run():
    assert ORIGINAL == findings(good=()).copy


def test_nothing_is_changed_before_all_is_measured():
    assert ORIGINAL == findings(done=False).copy
    assert ORIGINAL == Findings(done=True).copy
    ways = {AS_USUAL: (SLOW,) * 3, "spin=9": (FAST,) * 3}
    assert Tuning() == findings(ways=ways, done=False).tuning


def test_a_copy_that_gains_next_to_nothing_is_not_worth_its_place():
    nearly = Speed(SLOW.read * 1.02, SLOW.write * 1.02)

    assert ORIGINAL == findings(speeds={ORIGINAL: (SLOW,), "Q8_0": (nearly,)}).copy


def test_one_slow_round_decides_nothing():
    rounds = (Speed(10, 1), FAST, FAST)

    assert "Q4_0" == findings(speeds={ORIGINAL: (SLOW,) * 3, "Q4_0": rounds}).copy


def test_reading_fast_does_not_outweigh_writing_slowly():
    reads = Speed(SLOW.read * 1.3, SLOW.write * 0.8)

    assert ORIGINAL == findings(speeds={ORIGINAL: (SLOW,), "Q8_0": (reads,)}).copy


def test_of_threads_chunk_and_spinning_each_is_chosen_by_itself():
    best, good, bad = Speed(260, 20), Speed(250, 16), Speed(150, 10)
    ways = {
        AS_USUAL: (SLOW,) * 3,
        "threads=4": (good,) * 3,
        "threads=7": (best,) * 3,
        "chunk=256": (bad,),
        "spin=300000": (good,) * 3,
        "spin=30000": (best,),  # of one round nothing follows
    }
    found = findings(ways=ways)

    assert Tuning(threads=7, spin=300_000) == found.tuning
    assert "as its Q4_0 copy, with 7 threads, spinning 300,000 times" == found.told
    assert "as it came" == findings(ways={}, out={"Q4_0": "cannot be run"}).told


def test_findings_are_kept_for_each_key(tmp_path):
    file = FindingsFile(tmp_path / "new" / "measured.json")
    ways = {AS_USUAL: (SLOW,), "threads=1": (FAST,)}
    one = findings(out={"Q8_0": "cannot be written"}, seconds=31.5, ways=ways)
    other = findings(done=False)
    file.write("one", one)
    file.write("other", other)

    assert (one, other) == (file.read("one"), file.read("other"))
    assert Findings() == file.read("unknown")


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "{",
        '{"one": 3}',
        '{"one": {"speeds": {}, "done": true}}',
        '{"one": {"speeds": {}, "ways": {"threads=many": []}, "good": []}}',
        '{"one": {"speeds": {"": [{}]}}}',
    ],
)
def test_damaged_findings_are_measured_again(tmp_path, damaged):
    path = tmp_path / "measured.json"
    path.write_text(damaged)

    assert Findings() == FindingsFile(path).read("one")


def test_the_first_estimate_comes_from_the_measurement():
    rates = Rates()
    assert rates.seconds(Work(4000, 100)) is None
    rates.expect(read=200.0, write=20.0)

    assert pytest.approx(5.0 + 5.0) == rates.seconds(Work(4000, 100))
