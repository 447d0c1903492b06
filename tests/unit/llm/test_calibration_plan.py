"""Which measurements are taken, by machines of different speeds."""

from dataclasses import replace

import pytest

from xnai.llm.calibration import plan
from xnai.llm.calibration.choice import AS_USUAL, ORIGINAL, Findings, Speed, Tuning

USUAL = Speed(80, 14)


class Machine:
    """Takes each measurement that is planned; what it would give is told beforehand.

    Args:
        copies: by kind its speed, and why it answers otherwise (empty: it does not).
        ways: by label its speed.

    """

    def __init__(self, copies, ways=()) -> None:
        self.copies, self.ways = copies, dict(ways)
        self.there, self.has_notes, self.taken = [], False, []

    def run(self):
        findings = Findings()
        while True:
            wanted = plan.next_measurement(
                findings, list(self.copies), list(self.ways), self.there, has_notes=self.has_notes
            )
            if wanted is None:
                return replace(findings, done=True)
            self.taken.append(wanted)
            assert len(self.taken) < 60
            findings = self.take(findings, wanted)

    def take(self, findings, wanted):
        copy = wanted.copy
        match wanted.kind:
            case "make":
                self.there.append(copy)
            case "keep":
                self.has_notes = True
            case "compare":
                assert self.has_notes
                if reason := self.copies[copy][1]:
                    return plan.without(findings, copy, reason)
                return replace(findings, good=(*findings.good, copy))
            case "speed":
                speed = USUAL if copy == ORIGINAL else self.copies[copy][0]
                return plan.with_speed(findings, wanted, speed)
            case "way":
                speed = self.ways.get(wanted.way, USUAL)
                return plan.with_speed(findings, wanted, speed)
        return findings

    def count(self, kind):
        return sum(one.kind == kind for one in self.taken)


def test_copies_that_are_slower_are_out_after_one_round_and_never_compared():
    machine = Machine({"Q8_0": (Speed(57, 9), ""), "Q4_0": (Speed(61, 10), "")})
    found = machine.run()

    assert (ORIGINAL, {"Q8_0", "Q4_0"}) == (found.copy, set(found.out))
    assert "reads 57 and writes 9 tokens a second, as it came 80 and 14" == found.out["Q8_0"]
    assert (3, 2, 0) == tuple(machine.count(kind) for kind in ("speed", "make", "compare"))


def test_a_faster_copy_that_answers_otherwise_is_out():
    machine = Machine({"Q8_0": (Speed(258, 16), ""), "Q4_0": (Speed(251, 20), "diverges")})
    found = machine.run()

    assert ("Q8_0", {"Q4_0": "diverges"}) == (found.copy, found.out)
    assert 1 == machine.count("keep")
    assert [3, 3, 1] == [len(found.speeds[copy]) for copy in (ORIGINAL, "Q8_0", "Q4_0")]


def test_a_copy_that_is_hardly_faster_is_out_after_all_rounds():
    machine = Machine({"Q8_0": (Speed(82, 14.2), "")})
    found = machine.run()

    assert (ORIGINAL, {"Q8_0"}) == (found.copy, set(found.out))
    assert 6 == machine.count("speed")


def test_ways_to_run_are_compared_with_the_usual_one_on_the_fastest_copy():
    ways = {"threads=1": Speed(41, 12), "spin=300000": Speed(84, 15), "chunk=256": USUAL}
    machine = Machine({"Q8_0": (Speed(100, 20), "")}, ways)
    found = machine.run()

    assert Tuning(spin=300_000) == found.tuning
    assert {"Q8_0"} == {one.copy for one in machine.taken if one.kind == "way"}
    rounds = {way: len(found.ways[way]) for way in (AS_USUAL, *ways)}
    assert {AS_USUAL: 3, "threads=1": 1, "spin=300000": 3, "chunk=256": 3} == rounds


def test_without_anything_to_compare_with_one_round_is_enough():
    machine = Machine({})
    machine.run()

    assert [plan.Measurement("speed")] == machine.taken


def test_when_the_time_is_over_what_is_not_known_is_not_used():
    speeds = {ORIGINAL: (USUAL,) * 3, "Q8_0": (Speed(100, 20),) * 3, "Q4_0": (Speed(99, 30),)}
    found = plan.ended(Findings(speeds=speeds, good=("Q8_0", "Q4_0")), ["Q8_0", "Q4_0"])

    assert ("Q8_0", True) == (found.copy, found.done)
    assert "not measured in the time" in found.out["Q4_0"]


@pytest.mark.parametrize(
    ("kind", "copy", "out", "done"),
    [
        ("make", "Q8_0", ["Q8_0"], False),
        ("compare", "Q4_0", ["Q4_0"], False),
        ("keep", ORIGINAL, ["Q8_0", "Q4_0"], False),
        ("speed", ORIGINAL, [], True),
        ("way", "Q8_0", [], True),
    ],
)
def test_what_cannot_be_measured_is_not_asked_for_again(kind, copy, out, done):
    found = plan.failed(Findings(), plan.Measurement(kind, copy), "cannot be run")

    assert (out, done) == (list(found.out), found.done)


@pytest.mark.parametrize(("read", "seconds"), [(210.0, 120.0), (80.0, 600.0)])
def test_a_fast_machine_has_two_minutes_for_all_a_slow_one_ten(read, seconds):
    findings = Findings(speeds={ORIGINAL: (Speed(read, 14),)})

    assert seconds == plan.most_seconds(findings, 1_500_000_000)


@pytest.mark.parametrize(
    ("cores", "silicon", "fixed", "threads"),
    [
        (1, 1, False, []),
        (2, 2, False, ["threads=1"]),
        (8, 4, False, ["threads=7", "threads=4"]),
        (4, 8, False, ["threads=3"]),  # a container may use some of a larger processor
        (8, 4, True, []),
    ],
)
def test_fewer_threads_are_tried_unless_their_number_is_named(cores, silicon, fixed, threads):
    ways = plan.ways_to_run(cores, silicon, fixed=fixed)

    assert threads == [way for way in ways if way.startswith("threads")]
    assert all(Tuning.parse(way) != Tuning() for way in ways)
