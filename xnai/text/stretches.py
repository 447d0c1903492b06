"""Stretches of time as people write them: "24 (twenty-four) months", "a three-year term"."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from xnai.text.number_words import NUMBER_WORDS

_LONGEST = 99  # of one unit; more is no length of an agreement
# Chinese puts no space before a figure.
_BEFORE = r"(?<![^\W\u4e00-\u9fff])(?<![./-])"
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
