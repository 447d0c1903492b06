"""Dates as people write them: 3 March, March 3rd, 2025, 2025-03-03, 3.3.25, 3/4/2025, 3月3日."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from xnai.text.months import month_of, name_like

_NAME = r"(?P<name>[^\W\d_]{3,12})"
_FULL = r"(?P<year>(?:19|20)\d\d)"
_OPEN = r"(?<![^\W\u4e00-\u9fff])(?<![.,/-])"  # Chinese puts no space before a figure
_CLOSED = r"(?![\d/-]|\.\d)"
_NOTATIONS = tuple(
    re.compile(one, re.IGNORECASE)
    for one in (
        (
            rf"{_OPEN}(?P<day>[0-3]?\d)(?:(?P<nth>st|nd|rd|th|er|º)|\.)?\s{{0,2}}(?:of\s|de\s)?{_NAME}\.?"
            rf"(?:,?\s{{0,2}}(?:de\s|del\s)?{_FULL}{_CLOSED})?"
        ),
        (
            rf"(?<!\w){_NAME}\.?\s{{1,2}}(?P<day>[0-3]?\d)(?P<nth>st|nd|rd|th)?(?![\d:])"
            rf"(?:,?\s{{0,2}}{_FULL}{_CLOSED})?"
        ),
        rf"{_OPEN}{_FULL}-(?P<month>[01]\d)-(?P<day>[0-3]\d){_CLOSED}",
        rf"{_OPEN}(?P<day>[0-3]?\d)\.\s?(?P<month>[01]?\d)\.(?:\s?{_FULL}|(?P<short>\d\d))?{_CLOSED}",
        rf"{_OPEN}(?P<either>[0-3]?\d)/(?P<other>[0-3]?\d)/(?:{_FULL}|(?P<short>\d\d)){_CLOSED}",
        rf"(?:{_FULL}\s?年\s?)?(?P<month>[01]?\d)\s?月\s?(?P<day>[0-3]?\d)\s?日",
    )
)
_CENTURY = 2000
_LONGEST_MONTH, _MONTHS = 31, 12


class Day(NamedTuple):
    """A day; the year is 0 where it is not said."""

    day: int
    month: int
    year: int = 0

    def may_be(self, other: "Day") -> bool:
        """Whether both may be the same day."""
        same = (self.day, self.month) == (other.day, other.month)
        return same and (self.year == other.year or not self.year or not other.year)


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date in a text; ``start`` and ``end`` are its place there."""

    day: date
    start: int
    end: int
    text: str

    def like(self, other: date) -> str:
        """Another date, written as this one is."""
        for notation in _NOTATIONS:
            match = notation.fullmatch(self.text)
            if match is not None and _readings(match):
                return _rewritten(self.text, match, other)
        return other.isoformat()


def days_in(text: str) -> frozenset[Day]:
    """The days that a text names, with a year or without; of 03/04/2025 both that it may be."""
    return frozenset(one for match in _all(text) for one in _readings(match))


def dates_in(text: str) -> list[WrittenDate]:
    """The dates of a text that have a day, a month and a year, in their order.

    "03/04/2025" is none: which of them is the month, depends on who wrote it.
    """
    found: dict[int, WrittenDate] = {}
    for match in _all(text):
        readings = set(_readings(match))
        if len(readings) != 1 or not (one := readings.pop()).year:
            continue
        try:
            day = date(one.year, one.month, one.day)
        except ValueError:
            continue
        found.setdefault(match.start(), WrittenDate(day, *match.span(), match[0]))
    return [found[start] for start in sorted(found)]


def _all(text: str) -> Iterator[re.Match[str]]:
    for notation in _NOTATIONS:
        yield from notation.finditer(text)


def _readings(match: re.Match[str]) -> list[Day]:
    """The days that a written date may be."""
    parts = match.groupdict()
    year = int(parts["year"] or 0)
    if short := parts.get("short"):
        year = _CENTURY + int(short)
    if either := parts.get("either"):
        pairs = [(int(either), int(parts["other"])), (int(parts["other"]), int(either))]
    else:
        month = parts.get("month") or month_of(parts.get("name", ""))
        pairs = [(int(parts["day"]), int(month))]
    return [
        Day(day, month, year)
        for day, month in pairs
        if 0 < day <= _LONGEST_MONTH and 0 < month <= _MONTHS
    ]


def _rewritten(text: str, match: re.Match[str], other: date) -> str:
    """The text of a date with the parts of another one in their places."""
    values = {"year": str(other.year), "day": str(other.day), "month": str(other.month)}
    values["nth"] = ""  # of another day it is another one
    values["short"] = values["year"][-2:]
    parts = {part: value for part, value in match.groupdict().items() if value is not None}
    if "either" in parts:
        (first, *_) = _readings(match)
        is_day_first = first.day == int(parts["either"])
        values["either"], values["other"] = (
            (values["day"], values["month"]) if is_day_first else (values["month"], values["day"])
        )
    for part in ("day", "month", "either", "other"):
        if parts.get(part, "").startswith("0") or (part in parts and "-" in text):
            values[part] = values[part].zfill(2)
    if name := parts.get("name"):
        values["name"] = name_like(name, other.month)
    pieces, at = [], 0
    for start, end, part in sorted((*match.span(part), part) for part in parts):
        pieces += [text[at:start], values[part]]
        at = end
    return "".join([*pieces, text[at:]])
