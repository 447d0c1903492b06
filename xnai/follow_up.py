"""Questions that lean on the one before: "And when was it built?"."""

import re

from xnai.citations import words_of
from xnai.events import Question
from xnai.types import Message

_SELF_CONTAINED = 2  # content words; with fewer a question says too little to be searched alone
_POINTER = re.compile(
    r"^\W*(and|but|or|so|also|what about|how about)\b"
    r"|\b(it|its|they|them|their|he|him|his|she|her|this|that|these|those|there|then|one)\b",
    re.IGNORECASE,
)


def leant_on(question: Question) -> tuple[Message, ...]:
    """The question before, if this one leans on it."""
    before = [message for message in question.history if message.role == "user"]
    return tuple(before[-1:]) if _points_back(question.text) else ()


def _points_back(question: str) -> bool:
    """Whether a question leans on the one before: by a pronoun, an "and", or by saying little."""
    return bool(_POINTER.search(question)) or len(words_of(question)) < _SELF_CONTAINED
