"""A second try where a model has found no line: it looks again, and is believed word for word.

A small model refuses what stands there in other words, or for all cases at once ("No service on
Sundays" for "Can I take this bus on a Sunday?"). Told to look again it finds such lines, and
invents as readily where there are none. So what it says then counts only if one line has nearly
all of its words, some of them beyond the question's, and all of its figures, in one sentence:
before that was asked of it, one of 130 questions was answered with a copied paragraph.
"""

import re

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, Sheet
from xnai.answering.reading.proof import figures_of
from xnai.text.sentences import sentences
from xnai.types import Message

TOKENS = 64  # of the second answer
STOPS = ("\n\n", "\nQuestion:")
_NEARLY = 0.75  # of its words, more than that one line has
_MOST = 16  # words that mean something
_LEAST_NEW = 3  # of them that the question has not
_LABELS = re.compile(r"^(?:\s{0,3}(?:Source|Answer)\s?:(?:\s?none\b)?){1,4}", re.IGNORECASE)
_MARGINS = ("Header: ", "Footer: ")  # as readers of Word files call what stands on every page
_REFUSED = "Source: none\nAnswer: This is not in your documents."
_AGAIN = (
    "Question: {question}\n"
    "Look again: it may be said in other words, in a table, or for all cases at once. If a line "
    "says it, answer in one plain sentence with its words, and without Source."
)


def messages(before: tuple[Message, ...], question: str) -> tuple[Message, ...]:
    """The prompt of a question that was refused, with the request to look again."""
    again = Message("user", _AGAIN.format(question=question))
    return (*before, Message("assistant", _REFUSED), again)


def plain(written: str) -> str:
    """What was answered, without the labels that a model may put before it."""
    return _LABELS.sub("", written).strip()


def carried_by(answer: str, question: str, sheet: Sheet) -> NumberedLine | None:
    """The line that has an answer of one sentence, None if none has it.

    Who is asked for what is not there copies a paragraph rather than a sentence.
    """
    words, asked = words_of(answer), words_of(question)
    if len(words) > _MOST or len(list(sentences(answer))) > 1:
        return None
    lines = [line for line in sheet.lines if not line.text.startswith(_MARGINS)]
    best = max(lines, key=lambda line: len(words & words_of(line.text)), default=None)
    if best is None or not words:
        return None
    shared = words & words_of(best.text)
    is_there = len(shared) > _NEARLY * len(words) and len(shared - asked) >= _LEAST_NEW
    return best if is_there and figures_of(answer) <= figures_of(best.text) else None
