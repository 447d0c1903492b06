"""Days that a text names: 3 March, 2025-03-03, 3. März 2025, 3月3日."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from xnai.text.number_words import MONTH_NUMBERS

_SHORT = (
    "jan",
    "feb",
    "mar mär",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep sept",
    "oct okt",
    "nov",
    "dec dez",
)
_SHORT_NUMBERS = {name: number for number, names in enumerate(_SHORT, 1) for name in names.split()}
_WORD = r"([^\W\d_]{3,12})"
_DAY = r"(?<![\d.,])([0-3]?\d)"
_YEAR = r"(?:,? {0,2}(?:de |del )?(\d{4})(?!\d))?"
_DAY_FIRST = re.compile(
    rf"{_DAY}(?:st|nd|rd|th|er|\.|º)? {{0,2}}(?:of |de )?{_WORD}\.?{_YEAR}", re.IGNORECASE
)
_MONTH_FIRST = re.compile(
    rf"(?<!\w){_WORD}\.? {{1,2}}([0-3]?\d)(?:st|nd|rd|th)?(?![\d:]){_YEAR}", re.IGNORECASE
)
_FIGURES = re.compile(
    r"(?<![\d.,/-])(?:(\d{4})-(\d\d)-(\d\d)|(\d{1,2})([./])(\d{1,2})\5(\d{4}|\d\d)?)(?![\d/-])"
)
_HAN = re.compile(r"(?:(\d{4}) ?年 ?)?(\d{1,2}) ?月 ?(\d{1,2}) ?日")
_CENTURY = 2000
_DAYS, _MONTHS = 31, 12


class Day(NamedTuple):
    """A day; the year is 0 where it is not said."""

    day: int
    month: int
    year: int = 0

    def may_be(self, other: "Day") -> bool:
        """Whether both may be the same day."""
        same = (self.day, self.month) == (other.day, other.month)
        return same and (self.year == other.year or not self.year or not other.year)


def days_in(text: str) -> frozenset[Day]:
    """The days that a text names; of 03/04 both that it may be."""
    return frozenset(one for one in _all(text) if 0 < one.day <= _DAYS and 0 < one.month <= _MONTHS)


def _all(text: str) -> Iterator[Day]:
    for day, word, year in _DAY_FIRST.findall(text):
        yield Day(int(day), _month(word), int(year or 0))
    for word, day, year in _MONTH_FIRST.findall(text):
        yield Day(int(day), _month(word), int(year or 0))
    for year, month, day in _HAN.findall(text):
        yield Day(int(day), int(month), int(year or 0))
    for year, month, day, first, sign, second, behind in _FIGURES.findall(text):
        if year:
            yield Day(int(day), int(month), int(year))
            continue
        number = int(behind or 0)
        number += _CENTURY if 0 < number < 100 else 0  # noqa: PLR2004 - two digits
        yield Day(int(first), int(second), number)
        if sign == "/":
            yield Day(int(second), int(first), number)


def _month(word: str) -> int:
    folded = word.casefold()
    return MONTH_NUMBERS.get(folded) or _SHORT_NUMBERS.get(folded, 0)
