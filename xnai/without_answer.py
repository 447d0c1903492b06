"""What is said where no answer is generated: the best passages, or that nothing was found."""

import time
from collections.abc import Sequence

from xnai import grounding
from xnai.citations import best_sentence, cite
from xnai.errors import (
    BUNDLED_MODEL_UNUSABLE,
    ENGINE_BUILD_FAILED,
    MODEL_CRASHED,
    MODEL_DOWN,
    MODEL_LOADING,
    MODEL_NOT_FOUND,
    MODEL_NOT_GGUF,
    MODEL_PAUSED,
    MODEL_PREPARING,
    MODEL_TOO_LARGE,
    MODEL_TRUNCATED,
    MODEL_UNSUPPORTED,
    REMOTE_AWAY,
    XnaiError,
)
from xnai.events import Degraded, Done, Event, Question, Token
from xnai.types import Citation, Passage, Usage

# Errors of the model after which the passages alone are still worth showing.
MODEL_AWAY = frozenset(
    kind.code
    for kind in (
        MODEL_PREPARING,
        MODEL_PAUSED,
        MODEL_LOADING,
        MODEL_DOWN,
        MODEL_CRASHED,
        MODEL_NOT_FOUND,
        MODEL_NOT_GGUF,
        MODEL_TRUNCATED,
        MODEL_TOO_LARGE,
        MODEL_UNSUPPORTED,
        BUNDLED_MODEL_UNUSABLE,
        ENGINE_BUILD_FAILED,
        *REMOTE_AWAY,
    )
)
_SHOWN = 3


def not_found(passages: Sequence[Passage], started: float) -> list[Event]:
    """Say that the documents do not say, and quote what comes closest."""
    seconds = time.monotonic() - started
    closest = grounding.evidence(passages)
    return [
        Token(grounding.NOT_FOUND),
        Done("stop", Usage(), (), seconds, supported=False, evidence=closest, found=False),
    ]


def quoted(question: Question, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """Cite the sentence of each passage that answers best."""
    return tuple(
        cite(index, passage, *best_sentence(question.text, passage))
        for index, passage in enumerate(passages, 1)
    )


def passages_only(
    question: Question, passages: Sequence[Passage], reason: XnaiError, started: float
) -> list[Event]:
    """Build the rung below a generated answer: the best passages, quoted and cited."""
    citations = quoted(question, passages[:_SHOWN])
    quotes = "\n\n".join(f"> {' '.join(c.quote.split())} [{c.index}]" for c in citations)
    return [
        Degraded("passages_only", reason, reason.retry_after),
        Token(quotes),
        Done("stop", Usage(), citations, time.monotonic() - started),
    ]
