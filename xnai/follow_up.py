"""Questions that lean on the one before: "And when was it built?", or "go on"."""

import re

from xnai.citations import words_of
from xnai.events import Question
from xnai.types import Message

_SELF_CONTAINED = 2  # content words; with fewer a question says too little to be searched alone
_SHOWN = 500  # characters of the question before that are searched for
_POINTER = re.compile(
    r"^\W*(and|but|or|so|also|what about|how about)\b"
    r"|\b(it|its|they|them|their|he|him|his|she|her|this|that|these|those|there|then|one)\b",
    re.IGNORECASE,
)


def leant_on(question: Question) -> tuple[Message, ...]:
    """The question before, if this one leans on it.

    Where an answer is gone on with, that is the one which the answer's own question leans on.
    """
    text, before = _asked(question)
    return tuple(before[-1:]) if _points_back(text) else ()


def query_of(question: Question) -> str:
    """What is searched for: "And when was it built?" finds nothing without what it leans on."""
    text, _ = _asked(question)
    return "".join([*(f"{message.content[:_SHOWN]}\n" for message in leant_on(question)), text])


def is_gated(question: Question) -> bool:
    """Whether passages that match too little are kept from the model.

    The threshold was measured on questions that stand alone; one that is searched together with
    the question before it, or an answer that was begun already, scores lower on the same passage.
    """
    return not (question.sampling.bound or question.continues or leant_on(question))


def _asked(question: Question) -> tuple[str, list[Message]]:
    """What is to be answered, and the questions before it."""
    before = [message for message in question.history if message.role == "user"]
    if question.continues and before:
        return before[-1].content, before[:-1]
    return question.text, before


def _points_back(question: str) -> bool:
    """Whether a question leans on the one before: by a pronoun, an "and", or by saying little."""
    return bool(_POINTER.search(question)) or len(words_of(question)) < _SELF_CONTAINED
