"""What a claim says, and how much of it stands in a text: words, figures, names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from xnai.answering.citations import words_of
from xnai.answering.reading.proof import figures_of
from xnai.text.detection import small_words
from xnai.text.months import months_in_words
from xnai.text.number_words import NUMBER_WORDS, numbers_in_words

_STEM = 4  # letters that forms of a word share at least
_ENDING = 4  # letters of the longer one that they need not share
_NAME = re.compile(r"\b[A-Z][\w-]+")
# What stands before a sentence; a token; codes and dates.
_BEGINS = re.compile(r"(?:^|[.!?:;]\s{1,4}|^[\d.]{1,12}\s{1,4})\W{0,8}$")
_TOKEN = re.compile(r"[\w-]+")
_PARTED = re.compile(r"(?<!\d)\d{1,9}(?:[/:-]\d{1,9}){1,8}|\d{1,2}\.\d{1,2}\.(?:\d{4})?")
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2
    )
}
_TEENS = {
    word: number
    for number, word in enumerate(
        ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"), 13
    )
}
_TEN = re.compile(rf"\b({'|'.join(_TENS)})(?:[ -](\w+))?", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not|no(?!\.?\s?\d)|never|none|neither|nor|cannot|without|nicht|kein\w*|nie|ohne|ne|pas|jamais|"
    r"sans|nunca|sin|не|нет|без)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
# Words that every claim may have, and few lines.
_EMPTY = frozenset(
    "must shall should may might can cannot could would also about any every each both all".split()  # noqa: SIM905 - a list of words reads best
)


def _is_code(token: str) -> bool:
    """Whether a token is a number of something: it has digits and letters or hyphens."""
    has_sign = "-" in token or any(sign.isascii() and sign.isalpha() for sign in token)
    return has_sign and any(map(str.isdigit, token))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a claim stands in a text.

    ``share`` is that of its words; ``figures`` and ``names`` are those that are not there.
    """

    share: float
    figures: frozenset[str]
    names: frozenset[str]

    @property
    def lacks(self) -> bool:
        """Whether a figure or a name is not there."""
        return bool(self.figures or self.names)


@dataclass(frozen=True)
class Statement:
    """A text by what it says."""

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that mean something, numbers apart."""
        words = words_of(self.text) - small_words(self.text) - _EMPTY - _NUMBERS
        return frozenset(word for word in words if not any(map(str.isdigit, word)))

    @cached_property
    def figures(self) -> frozenset[str]:
        """The figures, those in words included; "one" is none."""
        return figures_of(self.text) | numbers_of(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names and codes, folded; what begins a sentence may be any word."""
        found = [
            match[0]
            for match in _NAME.finditer(self.text)
            if not _BEGINS.search(self.text[: match.start()]) and not months_in_words(match[0])
        ]
        codes = filter(_is_code, (token.strip("-") for token in _TOKEN.findall(self.text)))
        return frozenset(name.casefold() for name in (*found, *codes))

    @property
    def is_negated(self) -> bool:
        """Whether it denies something."""
        return len(_NEGATION.findall(self.text)) % 2 == 1

    def on(self, texts: Iterable[str]) -> Coverage:
        """Say how much of it stands in texts."""
        text = "\n".join(texts)
        there = words_of(text)
        missing = [word for word in self.words if not has_word(there, word)]
        share = 1 - len(missing) / len(self.words) if self.words else 1.0
        parts = {part.lstrip("0") for one in _PARTED.findall(text) for part in re.split(r"\D", one)}
        figures = figures_of(text) | numbers_of(text) | months_in_words(text) | parts
        folded = text.casefold()
        names = frozenset(name for name in self.names if name not in folded)
        return Coverage(share, self.figures - figures, names)


def has_word(words: Iterable[str], word: str) -> bool:
    """Whether one of some words is a form of another."""
    return any(_same(one, word) for one in words)


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < _STEM:
        return len(short) == _STEM - 1 and long in {f"{short}s", f"{short}es"}
    shared = max(_STEM, len(long) - _ENDING, len(short) - 2)
    return long[:shared] == short[:shared]


def numbers_of(text: str) -> frozenset[str]:
    """Return the numbers in words, up to ninety-nine in English; "one" is none."""
    found = set()
    for match in _TEN.finditer(text):
        unit = NUMBER_WORDS.get((match[2] or "").casefold(), 0)
        found.add(str(_TENS[match[1].casefold()] + (unit if unit < 10 else 0)))  # noqa: PLR2004
    found |= numbers_in_words(_TEN.sub(" ", text)) - {"1"}
    found |= {str(number) for word, number in _TEENS.items() if word in words_of(text)}
    return frozenset(found)


_NUMBERS = frozenset(NUMBER_WORDS) | frozenset(_TENS) | frozenset(_TEENS)
