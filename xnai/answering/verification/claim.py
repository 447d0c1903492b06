"""What a claim says, and how much of it stands on a line: words, figures, names.

A claim is carried by a line if all that it says stands there. What is missing tells whether the
line says something else instead: a figure where the claim has another, or another name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine
from xnai.answering.reading.proof import figures_of
from xnai.text.detection import small_words
from xnai.text.number_words import months_in_words, numbers_in_words

_STEM = 4  # letters that forms of a word share at least
_ENDING = 3  # letters by which they differ at most
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]*")
_CODE = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]+\b")
_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|n't|nicht|kein\w*|nie|ohne|ne|pas|jamais|"
    r"sans|nunca|sin|не|нет|без)\b|n't\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a claim stands on lines.

    ``share`` is that of its words; ``figures`` and ``names`` are those that stand there not.
    """

    share: float
    figures: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True)
class Claim:
    """A statement that is checked."""

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that mean something, figures apart."""
        words = words_of(self.text) - small_words(self.text)
        return frozenset(word for word in words if not any(map(str.isdigit, word)))

    @cached_property
    def figures(self) -> frozenset[str]:
        """The figures, those in words included."""
        return figures_of(self.text) | _in_words(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names and codes, folded."""
        found = [*_NAME.findall(self.text), *_CODE.findall(self.text)]
        return frozenset(name.casefold() for name in found)

    @property
    def is_negated(self) -> bool:
        """Whether it denies something."""
        return is_negated(self.text)

    def on(self, texts: Sequence[str]) -> Coverage:
        """Say how much of it stands in texts."""
        text = "\n".join(texts)
        words = words_of(text)
        missing = frozenset(word for word in self.words if not has_word(words, word))
        share = 1 - len(missing) / len(self.words) if self.words else 1.0
        figures = figures_of(text) | _in_words(text) | _parts(text) | months_in_words(text)
        plain = text.casefold()
        names = frozenset(name for name in self.names if name not in plain and name not in figures)
        return Coverage(share, self.figures - figures, names)


def _in_words(text: str) -> frozenset[str]:
    """Numbers in words; "one" and "a" count nothing."""
    return numbers_in_words(text) - {"1"}


def _parts(text: str) -> frozenset[str]:
    """The parts of dates and codes: "NP-558-2290" has 558."""
    return frozenset(part.lstrip("0") for part in re.findall(r"\d+", text))


def is_negated(text: str) -> bool:
    """Whether a text denies something."""
    return len(_NEGATIONS.findall(text)) % 2 == 1


def has_word(words: frozenset[str], word: str) -> bool:
    """Whether one of some words is a form of another."""
    return word in words or any(_same(one, word) for one in words)


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) < _STEM:
        return len(short) == _STEM - 1 and long in {f"{short}s", f"{short}es"}
    return len(long) - len(short) <= _ENDING and long.startswith(short[:-1])


def heading_of(line: NumberedLine, lines: Sequence[NumberedLine]) -> NumberedLine | None:
    """The first line of a line's page, which says what the page is about."""
    same = [
        one
        for one in lines
        if (one.source.document_id, one.source.page) == (line.source.document_id, line.source.page)
    ]
    return same[0] if same and same[0] is not line else None
