"""What each rule of answering is worth: the cases in which it has a say, with it and without.

    PYTHONPATH=. python bench/ablation.py --out ROWS.jsonl SET.jsonl... [--rules "named cells,..."]

A SET is a file of cases (docs/evaluation.md). All cases are asked with every rule, and it is noted
in which of them a rule gave anything; then these alone are asked again without it. Rows that
``--out`` has already are not asked again, so that a run goes on where it was. Printed for each
rule: the cases that it touches, how many of them are right, wrong and refused with it and without.
The model is the one that is set (``XNAI_MODEL``).
"""

import argparse
import asyncio
import functools
import inspect
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.answering.reading import asking, astray, exact, reader, telling
from xnai.answering.reading.doubt import Doubt
from xnai.answering.reading.lines import Sheet
from xnai.evaluation.case_run import run_cases
from xnai.evaluation.cases import Case, load_cases
from xnai.evaluation.workspace import Workspace, workspace
from xnai.settings import Settings

_MODEL_SECONDS = 1800.0
_EVERY = "every rule"


@dataclass(frozen=True)
class Rule:
    """A function that may have a say; ``neutral`` is what it would give if it had none."""

    name: str
    home: Any
    attribute: str
    neutral: Callable[..., Any]


def _none(*_: Any, **__: Any) -> None:
    return None


def _first(*args: Any, **_: Any) -> Any:
    return args[0]


def _question(_: Any, question: str, *__: Any) -> str:
    return question


def _plain(text: str, *_: Any, **__: Any) -> tuple[str, frozenset[str]]:
    return text, frozenset()


def _no_lines(*_: Any, **__: Any) -> list[Any]:
    return []


def _false(*_: Any, **__: Any) -> bool:
    return False


RULES = (
    Rule("end of a term", reader, "end_alone", _none),
    Rule("cell of a grid", reader, "grid_alone", _none),
    Rule("named section", reader, "sections_alone", _none),
    Rule("section as it stands", reader, "sections_of", _no_lines),
    Rule("named cells", reader, "cells_alone", _none),
    Rule("numbered record", reader, "record_alone", _none),
    Rule("outside of ranges", reader, "outside_alone", _none),
    Rule("no such row", reader, "names_no_row", _false),
    Rule("named rows told twice", reader, "with_named", _first),
    Rule("calculation", reader, "calculation_for", _none),
    Rule("comparison", reader, "_compared", _none),
    Rule("translation", asking.Asking, "translate", _none),
    Rule("spelling", asking.Asking, "spelt", _question),
    Rule("sources of turns", asking, "with_sources", lambda history, _: tuple(history)),
    Rule("nearer by meaning", astray, "nearer", _none),
    Rule("nearest for yes or no", astray, "deciding", lambda *_: ()),
    Rule("yes or no again", telling.Telling, "correct", _none),
    Rule("refusal again", telling.Telling, "reconsider", _none),
    Rule("exact figures", telling, "as_known", lambda *args: (args[0], args[4])),
    Rule("clause that is named", exact, "of_named_clause", _first),
    Rule("counted lists", telling, "as_counted", _plain),
    Rule("sums worked out", telling, "worked_out", _plain),
    Rule("place named", telling, "with_place", lambda _, answer, __: answer),
    Rule("doubted", Doubt, "is_strong", _false),
    Rule("missing by the probe", Doubt, "is_missing", _false),
)


class Say:
    """Rules in their places, with a note of which gave anything, and without one if that is set."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self.without = ""

    @contextmanager
    def over(self) -> Iterator[None]:
        """Stand in for all rules."""
        kept = [(rule, inspect.getattr_static(rule.home, rule.attribute)) for rule in RULES]
        try:
            for rule, real in kept:
                setattr(rule.home, rule.attribute, self._wrapped(rule, real))
            yield
        finally:
            for rule, real in kept:
                setattr(rule.home, rule.attribute, real)

    def _wrapped(self, rule: Rule, real: Any) -> Any:
        if isinstance(real, property):
            assert real.fget is not None
            return property(self._watched(rule, real.fget))
        return self._watched(rule, real)

    def _watched(self, rule: Rule, real: Callable[..., Any]) -> Callable[..., Any]:
        def settle(before: Any, result: Any, args: tuple[Any, ...]) -> Any:
            neutral = rule.neutral(*args)
            if _differs(result, neutral) or _state(args) != before:
                self.touched.add(rule.name)
            return result

        @functools.wraps(real)
        def plain(*args: Any, **named: Any) -> Any:
            if self.without == rule.name:
                return rule.neutral(*args, **named)
            return settle(_state(args), real(*args, **named), args)

        @functools.wraps(real)
        async def waiting(*args: Any, **named: Any) -> Any:
            if self.without == rule.name:
                return rule.neutral(*args, **named)
            return settle(_state(args), await real(*args, **named), args)

        return waiting if inspect.iscoroutinefunction(real) else plain


def _state(args: tuple[Any, ...]) -> Any:
    """What a method may have changed of its object."""
    if args and isinstance(args[0], telling.Telling):
        return vars(args[0])["_held"]  # what is told, while it is held
    if args and isinstance(args[0], asking.Asking):
        return dict(args[0].translations)
    return None


def _differs(result: Any, neutral: Any) -> bool:
    if isinstance(result, Sheet) and isinstance(neutral, Sheet):
        return result.text != neutral.text
    if isinstance(result, list | tuple) and isinstance(neutral, list | tuple):
        return list(result) != list(neutral)
    return bool(result != neutral)


async def _ask(space: Workspace, say: Say, case: Case, without: str) -> dict[str, Any]:
    say.touched, say.without = set(), without
    (row,) = await run_cases(space, [case], lambda *_: None)
    return {
        "case": case.id,
        "without": without or _EVERY,
        "verdict": row.verdict,
        "page_right": row.page_right,
        "kind": row.kind,
        "seconds": round(row.seconds, 2),
        "touched": sorted(say.touched),
        "text": row.text,
    }


async def _run(path: Path, out: Path, chosen: list[str], known: dict[Any, Any]) -> None:
    cases = load_cases(path)
    assert cases is not None, f"{path} has no cases"
    ordered = sorted(cases.cases, key=lambda case: case.expected.files)
    say = Say()
    async with workspace(Settings(), None) as space:
        await space.fill(cases.documents, lambda *_: None)
        await space.load_model(_MODEL_SECONDS)
        with say.over(), out.open("a", encoding="utf-8") as file:
            for without in ("", *chosen):
                for case in ordered:
                    base = known.get((_name(path), case.id, _EVERY))
                    if without and without not in base["touched"]:
                        continue
                    key = (_name(path), case.id, without or _EVERY)
                    if key in known:
                        continue
                    row = {"set": _name(path), **await _ask(space, say, case, without)}
                    known[key] = row
                    print(json.dumps(row, ensure_ascii=False), file=file, flush=True)
                    print(_name(path), case.id, row["without"], row["verdict"], file=sys.stderr)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _told(known: dict[Any, Any], rule: str) -> str:
    pairs = [
        (known[(stem, case, _EVERY)], row)
        for (stem, case, without), row in known.items()
        if without == rule
    ]
    with_it = Counter(one["verdict"] for one, _ in pairs)
    without = Counter(one["verdict"] for _, one in pairs)
    columns = ("right", "wrong_unhedged", "hedged", "refused_wrongly")
    figures = " ".join(f"{with_it[name]:>4}/{without[name]:<4}" for name in columns)
    return f"{rule:26} {len(pairs):>5}  {figures}"


def main() -> None:
    """Ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rules", default=",".join(rule.name for rule in RULES))
    given = parser.parse_args()
    chosen = [name.strip() for name in given.rules.split(",") if name.strip()]
    known: dict[Any, Any] = {}
    if given.out.exists():
        for line in given.out.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known[(row["set"], row["case"], row["without"])] = row
    for path in given.sets:
        asyncio.run(_run(path, given.out, chosen, known))
    base = Counter(row["verdict"] for (_, _, without), row in known.items() if without == _EVERY)
    print(f"{_EVERY}: {dict(base)}")
    print(f"{'':26} cases  right with/without, wrong, hedged, refused")
    for name in chosen:
        print(_told(known, name))


if __name__ == "__main__":
    main()
