"""Whether a sentence has another figure in the place of a claim's.

"Six months" stands in the place of "three months": the same unit, another number. Dates stand in
the place of dates, years of years, and what is written alike (88-1204 and 88-1402) of each other.
"""

import re
from dataclasses import dataclass

from xnai.answering.reading.proof import figures_of
from xnai.answering.verification.claim import has_word, numbers_of
from xnai.text.months import months_in_words

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:-[^\W\d_]+)*")
_DAY = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?([^\W\d_]{3,12})\b|\b([^\W\d_]{3,12})\s+(\d{1,2})\b"
)
_YEAR = re.compile(r"[12]\d{3}")
_AHEAD = 2  # words behind a number among which its unit stands


@dataclass(frozen=True, slots=True)
class _Figure:
    value: str
    units: tuple[str, ...]  # the words behind it
    shape: str  # of what is no whole number


def is_replaced(claim: str, sentence: str) -> bool:
    """Whether a sentence says another figure where the claim says one."""
    theirs = _figures(sentence)
    own = {figure.value for figure in theirs} | numbers_of(sentence)
    said = [figure for figure in _figures(claim) if figure.value not in own]
    if any(_stands_for(other, figure) for figure in said for other in theirs):
        return True
    dates, there = _dates(claim), _dates(sentence)
    return bool(dates and there and not dates & there)


def _stands_for(other: _Figure, figure: _Figure) -> bool:
    if figure.shape or other.shape:
        alike = not (figure.units and other.units) or _share_unit(figure, other)
        return figure.shape == other.shape and alike
    if _YEAR.fullmatch(figure.value) and _YEAR.fullmatch(other.value):
        return True
    return _share_unit(figure, other)


def _share_unit(figure: _Figure, other: _Figure) -> bool:
    return any(has_word(other.units, unit) for unit in figure.units)


def _figures(text: str) -> list[_Figure]:
    tokens = _TOKEN.findall(text)
    found = []
    for at, token in enumerate(tokens):
        values = figures_of(token) or numbers_of(token)
        if len(values) != 1:
            continue
        [value] = values
        units = [one.casefold() for one in tokens[at + 1 : at + 1 + _AHEAD] if not one[0].isdigit()]
        whole = value.isdigit()
        shape = "" if whole else re.sub(r"\d+", "9", value)
        found.append(_Figure(value, tuple(one for one in units if len(one) > _AHEAD), shape))
    return found


def _dates(text: str) -> frozenset[tuple[str, str]]:
    """The days that a text names with their months."""
    found = set()
    for before, month, other, behind in _DAY.findall(text):
        number = months_in_words(month or other)
        if number:
            found.add(((before or behind).lstrip("0"), next(iter(number))))
    return frozenset(found)
