"""Dates and stretches of time as people write them, in the languages that are asked most."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from xnai.text.number_words import MONTH_NUMBERS, MONTHS_OF, NUMBER_WORDS

_LONGEST = 99  # of one unit; more is no length of an agreement
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_SPELT_MONTH = "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True))
_DATES = (
    rf"(?P<day>[0-3]?\d)(?:(?P<nth>st|nd|rd|th|er|º)|\.)?\s(?:of\s|de\s)?(?P<name>{_SPELT_MONTH}),?\s(?:de\s)?{_YEAR}",
    rf"(?P<name>{_SPELT_MONTH})\s(?P<day>[0-3]?\d)(?P<nth>st|nd|rd|th)?,?\s{_YEAR}",
    rf"{_YEAR}-(?P<month>[01]\d)-(?P<day>[0-3]\d)",
    rf"(?P<day>[0-3]?\d)\.\s?(?P<month>[01]?\d)\.\s?{_YEAR}",
    rf"{_YEAR}\s?年\s?(?P<month>[01]?\d)\s?月\s?(?P<day>[0-3]?\d)\s?日",
)
_BEFORE = r"(?<![^\W\u4e00-\u9fff])(?<![./-])"  # Chinese puts no space before a figure
_PATTERNS = tuple(re.compile(rf"{_BEFORE}{one}(?![\d/-]|\.\d)", re.IGNORECASE) for one in _DATES)
_UNITS = {
    "day": "days? tage? tagen jours? días? dias? дн[яе]й? день 天 日",
    "week": "weeks? wochen? semaines? semanas? недел[яьюи] 周",
    "month": "months? monate? monaten mois mes(?:es)? месяц\\w{0,2} 个月",
    "year": "years? jahre? jahren ans? années? años? года? лет 年",
}
_COUNTS = "|".join(sorted((re.escape(word) for word in NUMBER_WORDS), key=len, reverse=True))
_UNIT = "|".join(f"(?P<{unit}>{'|'.join(words.split())})(?!\\w)" for unit, words in _UNITS.items())
# "24 (twenty-four) months", "a three-year term", "36 Monate".
_STRETCH = re.compile(
    rf"{_BEFORE}(?<!,)(?P<count>\d{{1,3}}|{_COUNTS})(?:\s?\([\w\s-]{{1,24}}\))?[\s-]?(?:{_UNIT})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date in a text; ``start`` and ``end`` are its place there."""

    day: date
    start: int
    end: int
    text: str

    def like(self, other: date) -> str:
        """Another date, written as this one is."""
        for pattern in _PATTERNS:
            if (match := pattern.fullmatch(self.text)) is not None:
                return _rewritten(self.text, match, other)
        return other.isoformat()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A length of time: so many days, weeks, months or years; ``text`` is how it is written."""

    count: int
    unit: str
    text: str

    def last_day(self, first: date) -> date | None:
        """The last day of a time that begins with a first one; None beyond the calendar."""
        try:
            return self._behind(first) - timedelta(days=1)
        except (ValueError, OverflowError):
            return None

    def _behind(self, first: date) -> date:
        if self.unit in {"day", "week"}:
            return first + timedelta(days=self.count * (7 if self.unit == "week" else 1))
        months = first.month - 1 + self.count * (12 if self.unit == "year" else 1)
        year, month = first.year + months // 12, months % 12 + 1
        return date(year, month, min(first.day, calendar.monthrange(year, month)[1]))


def dates_in(text: str) -> list[WrittenDate]:
    """The dates of a text that have a day, a month and a year, in their order.

    "03/04/2025" is none: which of them is the month, depends on who wrote it.
    """
    found: dict[int, WrittenDate] = {}
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            month = _month(parts.get("month"), parts.get("name"))
            try:
                day = date(int(parts["year"]), month, int(parts["day"]))
            except ValueError:
                continue
            found.setdefault(match.start(), WrittenDate(day, *match.span(), match[0]))
    return [found[start] for start in sorted(found)]


def stretches_in(text: str) -> list[Stretch]:
    """The lengths of time of a text, in their order."""
    found = []
    for match in _STRETCH.finditer(text):
        count = match["count"].casefold()
        number = int(count) if count.isdigit() else NUMBER_WORDS[count]
        unit = next(unit for unit in _UNITS if match[unit])
        if 0 < number <= _LONGEST:
            found.append(Stretch(number, unit, match[0]))
    return found


def _month(number: str | None, name: str | None) -> int:
    return int(number) if number else MONTH_NUMBERS[(name or "").casefold()]


def _rewritten(text: str, match: re.Match[str], other: date) -> str:
    """The text of a date with the parts of another one in their places."""
    values = {"year": str(other.year), "day": str(other.day), "month": str(other.month)}
    values["nth"] = ""  # of another day it is another one
    parts = {part: value for part, value in match.groupdict().items() if value is not None}
    for part in ("day", "month"):
        if parts.get(part, "").startswith("0") or "-" in text:
            values[part] = values[part].zfill(2)
    if name := parts.get("name"):
        written = _name(name.casefold(), other.month)
        values["name"] = written.capitalize() if name[0].isupper() else written
    pieces, at = [], 0
    for start, end, part in sorted((*match.span(part), part) for part in parts):
        pieces += [text[at:start], values[part]]
        at = end
    return "".join([*pieces, text[at:]])


@cache
def _name(like: str, month: int) -> str:
    """The name of a month in the language in which another one is written."""
    names = next(names for names in MONTHS_OF if like in names)
    return names[month - 1]
