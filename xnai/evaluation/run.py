"""One evaluation from a set to its figures."""

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.evaluation.answers import answer, answers, as_json, summary
from xnai.evaluation.plain import plain_answer
from xnai.evaluation.ranking import rankings
from xnai.evaluation.sets import Part, load
from xnai.evaluation.workspace import Progress, workspace
from xnai.settings import Settings

_MODEL_SECONDS = 1800.0  # a first start compiles the engine


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    ``searches`` and ``questions`` are how many questions with an answer are searched and answered,
    ``unanswerable`` how many without are answered; ``kept`` is a folder for the index.
    """

    path: Path
    searches: int = 300
    questions: int = 60
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
    wanted = load(plan.path)
    began = time.monotonic()
    async with workspace(settings, plan.kept) as space:
        await space.fill(wanted, progress)
        filled = time.monotonic() - began
        searched = wanted.sample(plan.searches, 0, plan.part, plan.seed)
        result: dict[str, Any] = {
            "set": wanted.name,
            "part": plan.part,
            "seed": plan.seed,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "documents": len(wanted.documents),
            "unreadable": space.unreadable,
            "ingest_seconds": filled,
            "retrieval": await rankings(space, wanted, searched, progress),
        }
        asked = wanted.sample(plan.questions, plan.unanswerable, plan.part, plan.seed)
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
