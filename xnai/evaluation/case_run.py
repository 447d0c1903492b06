"""Cases put to the whole pipeline, and their verdicts counted by kind and by language."""

import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from xnai.answering.events import Done, Question, Token
from xnai.errors import XnaiError
from xnai.evaluation.cases import Case
from xnai.evaluation.measures import median
from xnai.evaluation.verdicts import VERDICTS, Graded, graded
from xnai.evaluation.workspace import Progress, Workspace
from xnai.types import Sampling, Scope

TIMEOUT = 180.0  # seconds
_MAX_TOKENS = 512
_MOST_CHARACTERS = 10_000_000  # of documents whose length a summary is compared with


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case with its answer and its verdict; ``language`` is that of the question."""

    id: str
    kind: str
    language: str
    question: str
    text: str
    verdict: str
    holds: bool
    page_right: bool | None
    seconds: float


async def run_cases(space: Workspace, cases: Sequence[Case], progress: Progress) -> list[CaseRow]:
    """Ask one case after the other, greedily."""
    rows = []
    for done, case in enumerate(cases):
        progress("cases", done, len(cases))
        rows.append(await _run(space, case))
    progress("cases", len(cases), len(cases))
    return rows


async def _run(space: Workspace, case: Case) -> CaseRow:
    began = time.monotonic()
    unread = [
        f"{name}: {why}" for name, why in space.unreadable.items() if name in case.expected.files
    ]
    if unread:
        return _failed(case, "; ".join(unread), began)
    scope = space.scope(case.expected.files)
    try:
        text, done = await _answer(space, case, scope)
    except XnaiError as exc:
        return _failed(case, exc.message, began)
    seconds = time.monotonic() - began
    read = 0
    if case.expected.kind == "summary":
        read = (await space.library.pages(scope, _MOST_CHARACTERS)).characters
    result = graded(case.expected, text, done.outcome, done.citations, read)
    return _row(case, text, result, done.language, seconds)


async def _answer(space: Workspace, case: Case, scope: Scope) -> tuple[str, Done]:
    asked = Question(
        case.question,
        request_id=f"eval-{case.id}",
        user="eval",
        history=case.history,
        scope=scope,
        passages=space.settings.passages,
        sampling=Sampling(max_tokens=_MAX_TOKENS, temperature=0.0),
        timeout=TIMEOUT,
    )
    text = ""
    done: Done | None = None
    async with aclosing(space.pipeline.answer(asked)) as events:
        async for event in events:
            if isinstance(event, Token):
                text += event.text
            elif isinstance(event, Done):
                done = event
    assert done is not None
    return text, done


def _failed(case: Case, reason: str, began: float) -> CaseRow:
    result = Graded("errors", holds=False, page_right=None)
    return _row(case, reason, result, "", time.monotonic() - began)


def _row(case: Case, text: str, result: Graded, language: str, seconds: float) -> CaseRow:
    return CaseRow(
        case.id,
        case.expected.kind,
        language,
        case.question,
        text,
        result.verdict,
        result.holds,
        result.page_right,
        seconds,
    )


def summary(rows: Sequence[CaseRow]) -> dict[str, float]:
    """Counts of verdicts and their shares; ``page_right`` is of right values with a known page."""
    paged = [row.page_right for row in rows if row.holds and row.page_right is not None]
    counts = _counts(rows)
    return {
        "cases": float(len(rows)),
        **{verdict: counts[verdict] / len(rows) if rows else 0.0 for verdict in VERDICTS},
        "hedged_right": sum(row.verdict == "hedged" and row.holds for row in rows)
        / max(1, len(rows)),
        "page_right": sum(paged) / len(paged) if paged else 0.0,
        "seconds": median([row.seconds for row in rows if row.verdict != "errors"]),
    }


def by(rows: Sequence[CaseRow], name: str) -> dict[str, dict[str, int]]:
    """Counts of verdicts for each value of a column: ``kind`` or ``language``."""
    values: Iterable[str] = dict.fromkeys(getattr(row, name) or "unknown" for row in rows)
    return {
        value: _counts([row for row in rows if (getattr(row, name) or "unknown") == value])
        for value in values
    }


def _counts(rows: Sequence[CaseRow]) -> dict[str, int]:
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}


def as_json(rows: Sequence[CaseRow]) -> list[dict[str, Any]]:
    """Rows for a program to read."""
    return [asdict(row) for row in rows]
