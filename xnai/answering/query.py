"""Questions that lean on the one before: "And when was it built?", or "go on"."""

import re
from typing import Literal

from xnai.answering.about import asks_summary, is_about
from xnai.answering.citations import words_of
from xnai.answering.events import Question
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


Kind = Literal["summary", "list"]

_POLITE = r"^\W*(?:(?:please|kindly|now|(?:can|could|would|will) you)\W+)*"
_COMMANDS: dict[Kind, re.Pattern[str]] = {
    "list": re.compile(r"^\W*/list\b", re.IGNORECASE),
    "summary": re.compile(r"^\W*/(?:summary|summari[sz]e)\b", re.IGNORECASE),
}
_ASKED: dict[Kind, re.Pattern[str]] = {
    "list": re.compile(
        rf"{_POLITE}(?:(?:(?:name|find|list|extract|(?:give|show|tell|get) me)(?: me| out| down)?"
        r"(?: an? (?:\w+ )?list of)?|(?:list|extract) (?:the )?\w+ of) (?:all|every|each)\b)",
        re.IGNORECASE,
    ),
    "summary": re.compile(
        rf"{_POLITE}(?:summari[sz]e\b|sum (?:\w+ ){{0,4}}up\b|tl;?dr\b|"
        r"(?:(?:give|show|tell|write|make|get)(?: me| us)? |what(?:'s| is| are) )?"
        r"(?:an? |the )?(?:\w+ )?(?:summary|overview|gist|(?:key|main) points) of\b)",
        re.IGNORECASE,
    ),
}
# "Summarise the pump chapter" is about a part, which a search finds; "each chapter" is the whole.
_PART = re.compile(
    r"(?<!each )(?<!every )\b(?:chapter|section|appendix)\b|\b(?:page|paragraph)s? \d",
    re.IGNORECASE,
)


def commanded(question: str) -> Kind | None:
    """What a question that begins with ``/list`` or ``/summary`` is about."""
    return next((kind for kind, form in _COMMANDS.items() if form.search(question)), None)


def kind_of(question: str) -> Kind | None:
    """Whether a question is about all of a document: by a command, or by how it begins."""
    if kind := commanded(question):
        return kind
    if _PART.search(question):
        return None
    if is_about(question) or asks_summary(question):
        return "summary"
    return next((kind for kind, form in _ASKED.items() if form.search(question)), None)
