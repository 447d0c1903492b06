"""The figures of an evaluation as a table, and beside those of an earlier one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xnai.errors import EVAL_SET_INVALID, XnaiError
from xnai.evaluation.sets import problem_of

_GROUPS = ("retrieval", "answers", "plain")
_COUNTS = frozenset({"questions", "answerable", "unanswerable"})


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


def _ratios(ours: Mapping[str, float], plain: Mapping[str, float]) -> Iterator[str]:
    for name in ("contained", "token_f1", "seconds", "false_answers"):
        if plain.get(name) and name in ours:
            yield f"  {name:32} {ours[name] / plain[name]:>9.2f}x"


def _shown(name: str, value: float) -> str:
    return f"{value:.0f}" if name in _COUNTS else f"{value:.3f}"
