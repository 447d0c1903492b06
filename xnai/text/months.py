"""Months that a text names: in words, cut short, or within a date of figures."""

import re

from xnai.text.number_words import MONTH_NUMBERS

_SHORT = 3  # letters of "Jun", at least
_LONG = 4  # and of "Sept"
_WORD = re.compile(r"[^\W\d_]+")
_FIGURES = re.compile(
    r"(?<![\d./-])(?:(?:19|20)\d\d[-/](?P<a>[01]?\d)(?![\d])|[0-3]?\d\.(?P<b>[01]?\d)\.(?:(?:19|20)\d\d|\d\d)?"
    r"|(?P<c>[01]?\d)[/.](?:19|20)\d\d)"
)
_HAN = re.compile(r"(?<!\d)(1[0-2]|[1-9])\s?月")
_CUT = {
    name[:letters]: number
    for name, number in MONTH_NUMBERS.items()
    for letters in range(_SHORT, _LONG + 1)
}
_VERB = "may"  # a month in capitals alone
_NUMBERS = frozenset(MONTH_NUMBERS.values())


def months_in(text: str) -> frozenset[int]:
    """The months that a text names, 1 for January."""
    found = {
        number
        for word in _WORD.findall(text)
        if word != _VERB and (number := _number(word.casefold())) is not None
    }
    for match in _FIGURES.finditer(text):
        found.add(int(match["a"] or match["b"] or match["c"]))
    found.update(int(number) for number in _HAN.findall(text))
    return frozenset(found & _NUMBERS)


def is_run(months: frozenset[int]) -> bool:
    """Whether months follow each other, over the end of a year or not."""
    begins = [month for month in months if (month - 2) % 12 + 1 not in months]
    return len(begins) == 1


def _number(word: str) -> int | None:
    if word in MONTH_NUMBERS:
        return MONTH_NUMBERS[word]
    return _CUT.get(word) if _SHORT <= len(word) <= _LONG else None
