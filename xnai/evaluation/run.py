"""One evaluation from a set to its figures."""

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.evaluation import case_run
from xnai.evaluation.answers import answer, answers, as_json, summary
from xnai.evaluation.case_run import run_cases
from xnai.evaluation.cases import CaseSet, load_cases
from xnai.evaluation.plain import plain_answer
from xnai.evaluation.ranking import rankings
from xnai.evaluation.sets import Part, load
from xnai.evaluation.workspace import Progress, Workspace, workspace
from xnai.settings import Settings

_QUESTIONS = 60
_MODEL_SECONDS = 1800.0  # a first start compiles the engine


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    ``searches`` and ``questions`` are how many questions with an answer are searched and answered,
    ``unanswerable`` how many without are answered; ``kept`` is a folder for the index. Without a
    number of ``questions`` all cases are asked, and of other sets 60.
    """

    path: Path
    searches: int = 300
    questions: int | None = None
    unanswerable: int = 30
    part: Part = "all"
    seed: int = 0
    plain: bool = False
    kept: Path | None = None


async def evaluate(settings: Settings, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Measure; the figures by group, and every answer.

    Raises:
        XnaiError: EVAL_SET_INVALID, and whatever keeps search or model from working.

    """
    cases = load_cases(plan.path)
    wanted = load(plan.path) if cases is None else cases
    began = time.monotonic()
    async with workspace(settings, plan.kept) as space:
        await space.fill(wanted.documents, progress)
        result: dict[str, Any] = {
            "set": wanted.name,
            "part": plan.part,
            "seed": plan.seed,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "documents": len(wanted.documents),
            "unreadable": space.unreadable,
            "ingest_seconds": time.monotonic() - began,
        }
        if isinstance(wanted, CaseSet):
            return {**result, **await _cases(space, wanted, plan, progress)}
        searched = wanted.sample(plan.searches, 0, plan.part, plan.seed)
        result["retrieval"] = await rankings(space, wanted, searched, progress)
        count = _QUESTIONS if plan.questions is None else plan.questions
        asked = wanted.sample(count, plan.unanswerable, plan.part, plan.seed)
        if not any(question.answers is not None for question in asked):
            return result
        await space.load_model(_MODEL_SECONDS)
        result["model"] = space.model.status.name
        rows = await answers(
            space, asked, progress, [answer, plain_answer] if plan.plain else [answer]
        )
        for group, own in zip(("answers", "plain"), rows, strict=False):
            result[group] = summary(own)
            result[f"{group}_rows"] = as_json(own)
    return result


async def _cases(
    space: Workspace, wanted: CaseSet, plan: Plan, progress: Progress
) -> dict[str, Any]:
    """The verdicts of cases, in all and by kind and language of the question."""
    await space.load_model(_MODEL_SECONDS)
    rows = await run_cases(space, wanted.sample(plan.questions, plan.part, plan.seed), progress)
    return {
        "model": space.model.status.name,
        "cases": case_run.summary(rows),
        "by_kind": case_run.by(rows, "kind"),
        "by_language": case_run.by(rows, "language"),
        "cases_rows": case_run.as_json(rows),
    }
