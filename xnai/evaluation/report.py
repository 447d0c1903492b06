"""The figures of an evaluation as a table, and beside those of an earlier one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xnai.errors import EVAL_SET_INVALID, XnaiError
from xnai.evaluation.sets import problem_of

_GROUPS = ("retrieval", "answers", "plain", "cases")
_SHOWN = 160  # characters of an answer that is not right
_BREAKDOWNS = (("by_kind", "by kind"), ("by_language", "by language of the question"))
_COUNTS = frozenset({"questions", "answerable", "unanswerable", "cases"})


def read_report(path: Path) -> dict[str, Any]:
    """What ``--json`` printed earlier.

    Raises:
        XnaiError: EVAL_SET_INVALID.

    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise XnaiError(EVAL_SET_INVALID, path=path, problem=problem_of(exc)) from exc
    if not isinstance(report, dict) or not any(isinstance(report.get(g), dict) for g in _GROUPS):
        raise XnaiError(EVAL_SET_INVALID, path=path, problem="it is no report of xnai eval --json")
    return report


def table(report: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> str:
    """Lines of name and figure; with an earlier report its figure and the difference too."""
    head = (
        f"{report['set']} ({report['part']}, seed {report['seed']}): "
        f"{report['documents']} documents in {report['ingest_seconds']:.1f} s"
    )
    lines = [head, *(f"  unread: {n}: {why}" for n, why in report["unreadable"].items())]
    if earlier is not None:
        lines.append(f"{'':34} {'now':>10} {'earlier':>10} {'change':>10}")
    for group in _GROUPS:
        figures = report.get(group)
        if figures:
            lines += [group, *_figures(figures, (earlier or {}).get(group) or {})]
    for name, title in _BREAKDOWNS:
        if report.get(name):
            lines += [title, *_breakdown(report[name])]
    lines += _not_right(report.get("cases_rows", ()))
    if "plain" in report:
        lines += ["against the plain prompt", *_ratios(report["answers"], report["plain"])]
    return "\n".join(lines)


def _figures(now: Mapping[str, float], before: Mapping[str, float]) -> Iterator[str]:
    for name, value in now.items():
        line = f"  {name:32} {_shown(name, value):>10}"
        old = before.get(name)
        if isinstance(old, int | float):
            line += f" {_shown(name, old):>10} {value - old:>+10.3f}"
        yield line


def _breakdown(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """How many of each kind are right, and what the others are."""
    for value, verdicts in counts.items():
        others = ", ".join(f"{n} {v}" for v, n in verdicts.items() if n and v != "right")
        right = f"{verdicts['right']:>4} of {sum(verdicts.values()):<4}"
        yield f"  {value:32} {right} {others}".rstrip()


def _not_right(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The cases that are not right, each with what was answered."""
    for row in rows:
        if row["verdict"] != "right":
            text = " ".join(row["text"].split())[:_SHOWN]
            yield f"{row['id']} {row['verdict']}: {row['question']} | {text}"


def _ratios(ours: Mapping[str, float], plain: Mapping[str, float]) -> Iterator[str]:
    for name in ("contained", "token_f1", "seconds", "false_answers"):
        if plain.get(name) and name in ours:
            yield f"  {name:32} {ours[name] / plain[name]:>9.2f}x"


def _shown(name: str, value: float) -> str:
    return f"{value:.0f}" if name in _COUNTS else f"{value:.3f}"
