"""The lines that share the words of a question, as a second opinion on those that a model quotes.

A small model that is asked for a yes or no may quote the line beside the right one, or none. Words
alone do not find an answer, but where most of a question's rarer words stand on one line, it is
worth a look. Words are weighed by how few lines have them (Sparck Jones 1972).
"""

import math
from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine
from xnai.text.detection import small_words

STRONG = 0.55  # of a question's weight; a line that has so much may answer it
LIKELY = 0.33  # that may answer it rather than a line that has less
_MOST = 2
_EMPTY = frozenset(["any", "about", "also", "into", "must", "now", "shall", "should", "may"])
_STEM = 4  # letters that "refund" and "refunded" share
_ENDING = 3  # letters by which forms of a word differ


def closest_lines(
    question: str, lines: Sequence[NumberedLine], least: float = STRONG
) -> list[NumberedLine]:
    """The few lines that have most of a question's words, the best first; often none."""
    asked = words_of(question) - _EMPTY - small_words(question)
    words = [words_of(line.text) for line in lines]
    found = [frozenset(one for one in asked if _has(own, one)) for own in words]
    weights = {}
    for word in asked:
        having = sum(word in own for own in found)
        weights[word] = math.log(1 + len(lines) / max(1, having))
    total = sum(weights.values())
    if not total:
        return []
    scored = [
        (sum(weights[word] for word in own) / total, -at)
        for at, own in enumerate(found)
        if len(own) > 1
    ]
    best = sorted((one for one in scored if one[0] >= least), reverse=True)[:_MOST]
    return [_answering(lines, -at) for _, at in best]


def _answering(lines: Sequence[NumberedLine], at: int) -> NumberedLine:
    """The line; of one that asks the very question, as lists of questions do, the next one."""
    asks = lines[at].text.rstrip().endswith(("?", "\uff1f", "\u061f"))
    return lines[min(at + 1, len(lines) - 1)] if asks else lines[at]


def _has(words: frozenset[str], word: str) -> bool:
    """Whether a line has a word in any of its forms."""
    return word in words or any(_same(one, word) for one in words)


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) < _STEM:
        return len(short) == _STEM - 1 and long in {f"{short}s", f"{short}es"}
    alike = len(long) - len(short) <= _ENDING and long.startswith(short[:-1])
    return alike or (len(short) > _STEM + 1 and long.startswith(short[: len(short) - 2]))
