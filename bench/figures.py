"""What all benches do with their figures: medians, ratios, one table."""

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

Rounds = Sequence[float]


def options_of(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with the options that all benches share; ``rounds`` is the default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--folder", type=Path, help="keep data here; the next run starts faster")
    parser.add_argument("--noisy", action="store_true", help="count disturbed rounds, too")
    parser.add_argument("--verbose", action="store_true", help="print every round")
    return parser


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def paired_ratio(ours: Rounds, theirs: Rounds) -> float:
    """The median over the rounds of ours / theirs: a slow minute of the machine slows both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def print_table(
    rows: Mapping[str, Mapping[str, Rounds]], names: Sequence[str], *, verbose: bool
) -> None:
    """One line a figure, one column a server: the median, with ``verbose`` all rounds too."""
    print(f"{'':36}" + "".join(f"{name:>18}" for name in names))
    for figure, columns in rows.items():
        medians = [
            f"{statistics.median(columns[name]):18.3f}" if name in columns else f"{'':18}"
            for name in names
        ]
        print(f"{figure:36}" + "".join(medians))
        if verbose:
            for name in filter(columns.__contains__, names):
                rounds = "  ".join(f"{value:.3f}" for value in columns[name])
                print(f"    {name:32}{rounds}")


def judge(what: str, value: float, sign: str, target: float) -> bool:
    """Print a figure beside its target; ``sign`` is ``>=`` or ``<=``."""
    met = value >= target if sign == ">=" else value <= target
    print(f"{what:64} {value:8.3f}   target {sign} {target:g}   {'met' if met else 'MISSED'}")
    return met
