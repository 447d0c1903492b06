"""How an answer ends: what is cited and quoted under it."""

import time
from collections.abc import Sequence

from xnai import grounding
from xnai.citations import Citer
from xnai.events import Done, Question
from xnai.grounding import CopyCiter
from xnai.llm.protocol import Finished
from xnai.types import Passage
from xnai.without_answer import quoted


def done(
    question: Question,
    passages: Sequence[Passage],
    citer: Citer | CopyCiter,
    finished: Finished,
    started: float,
) -> Done:
    """The end of an answer that a model has given, whose citer is finished."""
    return Done(
        # What is copied is whole, however long the model went on unheard.
        "stop" if isinstance(citer, CopyCiter) else finished.reason,
        finished.usage,
        citer.citations or quoted(question, passages[:1]),
        time.monotonic() - started,
        supported=bool(citer.citations) or not passages,
        evidence=grounding.evidence(passages),
    )
