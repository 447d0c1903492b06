"""Cases: questions over named files with what must, and must not, stand in the answer.

A JSONL file, a line for each case: ``id``, ``files`` (names of files beside it), ``question``,
``kind``, ``page`` (or null), and of these what applies: ``accept`` (one of them must stand in the
answer), ``accept_all`` (a list of such lists: one of each), ``reject`` (none may), ``unanswerable``
(right is to say that it is not there), ``max_sentences``, ``history`` (pairs of question and answer
that went before).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.evaluation.sets import (
    QUESTIONS,
    EvalDocument,
    Part,
    drawn,
    inside,
    invalid,
    json_lines,
)
from xnai.evaluation.verdicts import Expected
from xnai.types import Message

_TURN = 2  # question and answer


@dataclass(frozen=True, slots=True)
class Case:
    """One question over files, and what is known of its answer."""

    id: str
    question: str
    expected: Expected
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Cases with the documents that they are about, each named once."""

    name: str
    documents: tuple[EvalDocument, ...]
    cases: tuple[Case, ...]

    def sample(self, count: int | None, part: Part, seed: int) -> list[Case]:
        """Draw cases as ``EvalSet.sample`` draws questions; all of the part without a count."""
        return drawn(self.cases, part, seed)[:count]


def load_cases(path: Path) -> CaseSet | None:
    """Read a file of cases, or a folder with one; None if it is a set of another kind.

    Raises:
        XnaiError: EVAL_SET_INVALID naming file, line and what is wrong.

    """
    if path.is_dir():
        path /= QUESTIONS
    if not path.is_file() or "files" not in next(iter(json_lines(path)), (0, {}))[1]:
        return None
    cases: dict[str, Case] = {}
    documents: dict[str, EvalDocument] = {}
    for number, row in json_lines(path, "question"):
        try:
            case = _case(row, number)
        except (TypeError, ValueError) as exc:
            raise invalid(path, f"line {number}: {exc}") from None
        if case.id in cases:
            raise invalid(path, f"line {number} has the id {case.id!r} of an earlier one")
        cases[case.id] = case
        for name in case.expected.files:
            documents.setdefault(name, EvalDocument(name, inside(path.parent, name, path, number)))
    return CaseSet(path.stem, tuple(documents.values()), tuple(cases.values()))


def _case(row: Mapping[str, Any], number: int) -> Case:
    groups = [*row.get("accept_all", [])] or ([row["accept"]] if row.get("accept") else [])
    files = _texts(row.get("files"), "files")
    if not files:
        raise ValueError("'files' names none")
    most = row.get("max_sentences")
    expected = Expected(
        kind=str(row.get("kind", "fact")),
        groups=tuple(_texts(group, "accept") for group in groups),
        reject=_texts(row.get("reject", []), "reject"),
        unanswerable=bool(row.get("unanswerable", False)),
        page=None if row.get("page") is None else int(row["page"]),
        most_sentences=None if most is None else int(most),
        files=files,
    )
    if not (expected.groups or expected.unanswerable or expected.kind == "small-talk"):
        raise ValueError("it says neither what to accept nor that it is unanswerable")
    identity = str(row.get("id", number))
    return Case(identity, row["question"], expected, _history(row.get("history", [])))


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f"{name!r} is no list of texts")
    return tuple(value)


def _history(turns: Sequence[Any]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for turn in turns:
        pair = _texts(turn, "history")
        if len(pair) != _TURN:
            raise ValueError("'history' is no list of pairs of question and answer")
        messages += [Message("user", pair[0]), Message("assistant", pair[1])]
    return tuple(messages)
