"""Which measurement comes next, and what follows from one: no processes and no files in here.

    the original's speed ──► for each kind of copy: write it ──► its speed ──slower──► out
                                                                     │ not slower
                                 out ◄──another answer── compare its answers with the original's
                                                                     │ the same
    more rounds, original and copies in turn ◄───────────────────────┘
         │ the fastest is known
         ▼
    other ways to run that one: threads, chunks, spinning ──► done

What is clearly slower after a round gets no second one, so that most machines are done after few.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xnai.llm.calibration.choice import (
    AS_USUAL,
    GAIN,
    LOSS,
    ORIGINAL,
    ROUNDS,
    Findings,
    Speed,
    median_speed,
)

# Bits that a weight takes in each kind of copy, its share of the block's scale included.
COPIES: Mapping[str, float] = {"Q8_0": 8.5, "Q4_0": 4.5}
CHUNKS = (256, 128)  # tokens of a prompt in one step, beside the usual 512
SPINS = (30_000, 300_000)  # beside the usual 1,000; the last is what OpenMP does by itself
MOST_SECONDS = 600.0  # of measuring in all; what is not known then is not used
FEWEST_SECONDS = 120.0  # the same where the machine is fast
FAST = 200.0 * 1.5e9  # weights times tokens read a second

Kind = Literal["make", "speed", "keep", "compare", "way"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: of a copy, or ``way`` to run the fastest."""

    kind: Kind
    copy: str = ORIGINAL
    way: str = AS_USUAL


def next_measurement(
    findings: Findings,
    copies: Sequence[str],
    ways: Sequence[str],
    there: Collection[str],
    *,
    has_notes: bool,
) -> Measurement | None:
    """Return what is to be measured next; None: all is known.

    Args:
        findings: what is known.
        copies: kinds of copies that may be made.
        ways: labels of ways to run the model.
        there: the kinds of which a copy lies on the disk.
        has_notes: whether what the original answers is noted.

    """
    if not findings.speeds.get(ORIGINAL):
        return Measurement("speed")
    left = [copy for copy in copies if copy not in findings.out]
    for copy in left:
        if copy not in there:
            return Measurement("make", copy)
        if not findings.speeds.get(copy):
            return Measurement("speed", copy)
        if copy not in findings.good:
            return Measurement("compare", copy) if has_notes else Measurement("keep")
    rounds = {copy: len(findings.speeds.get(copy, ())) for copy in (ORIGINAL, *left)}
    copy = min(rounds, key=lambda one: rounds[one])
    if left and rounds[copy] < ROUNDS:
        return Measurement("speed", copy)
    return _next_way(findings, ways)


def _next_way(findings: Findings, ways: Sequence[str]) -> Measurement | None:
    usual = median_speed(findings.ways.get(AS_USUAL, ()))
    rounds = {}
    for way in (AS_USUAL, *ways):
        speed = median_speed(findings.ways.get(way, ()))
        if usual and speed and usual.seconds / speed.seconds < LOSS:
            continue
        rounds[way] = len(findings.ways.get(way, ()))
    way = min(rounds, key=lambda one: rounds[one])
    is_known = rounds[way] >= ROUNDS or (len(rounds) == 1 and rounds[way] > 0)
    return None if not ways or is_known else Measurement("way", findings.fastest, way)


def with_speed(findings: Findings, measured: Measurement, speed: Speed) -> Findings:
    """Take in a speed; a copy that is clearly slower, or not faster after all rounds, is out."""
    if measured.kind == "way":
        rounds = (*findings.ways.get(measured.way, ()), speed)
        return replace(findings, ways={**findings.ways, measured.way: rounds})
    copy = measured.copy
    rounds = (*findings.speeds.get(copy, ()), speed)
    findings = replace(findings, speeds={**findings.speeds, copy: rounds})
    original = findings.speed(ORIGINAL)
    assert original is not None
    for other in findings.speeds:
        mine = findings.speed(other)
        if other == ORIGINAL or other in findings.out or mine is None:
            continue
        gain = original.seconds / mine.seconds
        counted = min(len(findings.speeds[one]) for one in (ORIGINAL, other))
        if gain < (GAIN if counted >= ROUNDS else LOSS):
            findings = without(findings, other, _slower(mine, original))
    return findings


def _slower(copy: Speed, original: Speed) -> str:
    return (
        f"reads {copy.read:.0f} and writes {copy.write:.0f} tokens a second, as it came "
        f"{original.read:.0f} and {original.write:.0f}"
    )


def without(findings: Findings, copy: str, reason: str) -> Findings:
    """Have a copy not run; the original's speed counts as it is."""
    return replace(findings, out={**findings.out, copy: reason})


def failed(findings: Findings, measured: Measurement, reason: str) -> Findings:
    """Take in that a measurement fails: of a copy, it is out; of the rest, all is over."""
    if measured.kind == "keep":  # nothing can be compared with
        for copy in COPIES:
            if copy not in findings.good and copy not in findings.out:
                findings = without(findings, copy, f"cannot be compared: the original {reason}")
        return findings
    if measured.copy != ORIGINAL and measured.kind != "way":
        return without(findings, measured.copy, reason)
    return replace(findings, done=True)


def most_seconds(findings: Findings, parameters: int) -> float:
    """How long all measurements of a model of so many weights may take."""
    speed = findings.speed(ORIGINAL)
    is_fast = speed is not None and speed.read * parameters >= FAST
    return FEWEST_SECONDS if is_fast else MOST_SECONDS


def ended(findings: Findings, copies: Sequence[str]) -> Findings:
    """Have nothing measured any more; copies that are not known well enough are out."""
    for copy in copies:
        rounds = min(len(findings.speeds.get(one, ())) for one in (ORIGINAL, copy))
        if copy not in findings.out and (copy not in findings.good or rounds < ROUNDS):
            findings = without(findings, copy, "was not measured in the time there is for it")
    return replace(findings, done=True)


def ways_to_run(cores: int, silicon: int, *, fixed: bool) -> list[str]:
    """Labels of the ways to run a model that are compared with the usual one.

    Args:
        cores: that may be used.
        silicon: those of the processor; two threads on one often write no faster than one.
        fixed: whether the settings name the number of threads.

    """
    fewer = {min(silicon, cores), cores - 1} - {0, cores}
    threads = [] if fixed else [f"threads={count}" for count in sorted(fewer, reverse=True)]
    chunks = [f"chunk={size}" for size in CHUNKS]
    return [*threads, *chunks, *(f"spin={count}" for count in SPINS)]
