"""Months by their names and numbers, in the languages that are asked most."""

import re

# A row a language, for what is written of another month has to be in the same one.
MONTHS_OF = tuple(
    tuple(row.split())
    for row in """\
january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
januari februari maart april mei juni juli augustus september oktober november december
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
""".splitlines()
)
MONTH_NUMBERS = {name: at for row in MONTHS_OF for at, name in enumerate(row, 1)}

_SHORT = 3  # letters of "Jun", at least
_LONG = 4  # and of "Sept"
_CUT = {
    name[:letters]: number
    for name, number in MONTH_NUMBERS.items()
    for letters in range(_SHORT, _LONG + 1)
}
_WORD = re.compile(r"[^\W\d_]+")
_FIGURES = re.compile(
    r"(?<![\d./-])(?:(?:19|20)\d\d[-/](?P<a>[01]?\d)(?![\d])|[0-3]?\d\.(?P<b>[01]?\d)\.(?:(?:19|20)\d\d|\d\d)?"
    r"|(?P<c>[01]?\d)[/.](?:19|20)\d\d)"
)
_HAN = re.compile(r"(?<!\d)(1[0-2]|[1-9])\s?月")
_VERB = "may"  # a month in capitals alone
_NUMBERS = frozenset(MONTH_NUMBERS.values())


def month_of(word: str) -> int:
    """The month that a word names, whole or cut short to three or four letters; 0 for none."""
    folded = word.casefold()
    return MONTH_NUMBERS.get(folded) or _CUT.get(folded, 0)


def name_like(written: str, month: int) -> str:
    """The name of a month in the language, and with the capitals, of another one's name."""
    folded = written.casefold()
    name = next(names for names in MONTHS_OF if folded in names)[month - 1]
    return name.capitalize() if written[0].isupper() else name


def months_in(text: str) -> frozenset[int]:
    """The months that a text names in words or within a date of figures, 1 for January."""
    found = {month_of(word) for word in _WORD.findall(text) if word != _VERB}
    for match in _FIGURES.finditer(text):
        found.add(int(match["a"] or match["b"] or match["c"]))
    found.update(int(number) for number in _HAN.findall(text))
    return frozenset(found & _NUMBERS)


def months_in_words(text: str) -> frozenset[str]:
    """The months that a text names, in figures: "4" for "1 April 2025"."""
    words = _WORD.findall(text.casefold())
    return frozenset(str(MONTH_NUMBERS[word]) for word in words if word in MONTH_NUMBERS)


def is_run(months: frozenset[int]) -> bool:
    """Whether months follow each other, over the end of a year or not."""
    begins = [month for month in months if (month - 2) % 12 + 1 not in months]
    return len(begins) == 1
