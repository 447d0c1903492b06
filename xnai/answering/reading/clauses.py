"""The value of the clause that is asked about, where a line has several of a kind.

"The guarantee is 2 years; on the compressor it is 5 years": asked for the compressor, a small model
has the right line before it and answers with its first value. What the first clause is about goes
on in those behind it, so the clause is taken that has most of the question's words with these.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine
from xnai.text.number_words import NUMBER_WORDS

_LONGEST = 40  # characters of an answer that is a value and little more
_STEM = 5  # letters
_COUNT = "|".join(sorted((word for word in NUMBER_WORDS if word.isascii()), key=len, reverse=True))
_VALUE = re.compile(
    rf"(?<![\w.,])(?P<before>[€£$]\s?)?(?P<number>\d{{1,9}}(?:[.,]\d{{1,3}}){{0,3}}|(?:{_COUNT})(?!\w))"
    r"(?:[\s-]?(?P<unit>[%€£$]|[^\W\d_]{1,12}))?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[;:.!?]\s+|,\s+|\s[\u2013\u2014-]\s|\s(?:and|but|und|aber|et|mais|y|pero|e|ma)\s|[\uff1b\uff0c\u3002]"
)
# What is asked with something else is asked of more than one clause.
_WITH = re.compile(
    r"\b(?:with|without|includ\w*|plus|total|all|both|together|mit|ohne|inkl\w*|zusammen|beide\w*|"
    r"avec|sans|compris\w*|tout\w*|con|sin|incluid\w*|todo\w*)\b",
    re.IGNORECASE,
)


class _Valued(NamedTuple):
    text: str
    number: str
    unit: str
    clause: int


def of_named_clause(body: str, question: str, quoted: Sequence[NumberedLine]) -> str:
    """Return an answer with the value of a later clause, if that is what was asked about.

    Args:
        body: what the model says.
        question: what was asked.
        quoted: the lines that it has named; of several nothing is exchanged.

    """
    said = list(_VALUE.finditer(body))
    if len(quoted) != 1 or len(said) != 1 or len(body) > _LONGEST or _WITH.search(question):
        return body
    clauses = [one for one in _CLAUSE.split(quoted[0].text) if one.strip()]
    values = [
        _Valued(match[0], match["number"].casefold(), _unit(match), at)
        for at, clause in enumerate(clauses)
        for match in _VALUE.finditer(clause)
    ]
    unit, number = _unit(said[0]), said[0]["number"].casefold()
    alike = [one for one in values if one.unit == unit and unit]
    own = {one.clause for one in alike if one.number == number}
    if len(own) != 1 or len(alike) != len({one.clause for one in alike}):
        return body
    asked = _stems(question)
    shares = {one.clause: _shared(asked, clauses, one.clause) for one in alike}
    best = max(shares, key=lambda at: shares[at])
    (mine,) = own
    if best <= mine or shares[best] <= shares[mine]:
        return body
    right = next(one.text for one in alike if one.clause == best)
    return body[: said[0].start()] + right.strip() + body[said[0].end() :]


def _unit(match: re.Match[str]) -> str:
    return (match["before"] or match["unit"] or "").strip().casefold()[:4].rstrip("s")


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in words_of(text))


def _shared(asked: frozenset[str], clauses: Sequence[str], at: int) -> int:
    """How many of a question's words a clause has, with those of the first one."""
    return len(asked & _stems(f"{clauses[0]} {clauses[at]}"))
