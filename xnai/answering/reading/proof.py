"""What proves a sentence of an answer: the lines that the model quoted, if they can carry it.

A sentence is cited only where every figure in it stands on lines that are cited, in the question,
or was worked out by the program from figures that do. A figure that stands on another line, beside
words of the sentence or right behind a quoted line, has that line cited too: a small model quotes
the heading and answers from what is under it. That a figure stands there does not make the sentence
true, but one that stands nowhere
was invented.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine
from xnai.answering.reading.second_look import said
from xnai.text.months import months_in_words
from xnai.text.number_words import numbers_in_words
from xnai.types import Citation

_NEARLY = 0.7  # of a sentence's words that another line has, which then carries it
_LEAST_WORDS = 2
MOST_MARKS = 3  # behind one sentence
_FIGURE = re.compile(r"\d+(?:[.,'\u00a0\u202f:/-]\d+)*")
_DATE = re.compile(
    r"(?<![\d.,/-])(?:[0-3]?\d([./-])[01]?\d\1(?:\d{4}|\d\d)|\d{4}([./-])[01]?\d\2[0-3]?\d)(?![\d/-]|\.\d)"
)
_SPACES = re.compile(r"['\u00a0\u202f](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)+")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")


def figures_of(text: str) -> frozenset[str]:
    """The figures of a text as one way of writing has them: "1,250.00" and "1.250" are "1250".

    A comma or point before three digits is taken for one between thousands, in any language.
    """
    return frozenset(_plain(_SPACES.sub("", figure)) for figure in _FIGURE.findall(text))


def _plain(figure: str) -> str:
    if not _NUMBER.fullmatch(figure):
        return figure  # a time, a date, or digits alone
    signs = [sign for sign in figure if sign in ".,"]
    if _GROUPED.fullmatch(figure) and len(set(signs)) == 1:
        return re.sub("[.,]", "", figure)
    last = signs[-1]
    if signs.count(last) > 1:
        return figure  # a date or a version
    whole, _, decimals = figure.rpartition(last)
    whole, decimals = re.sub("[.,]", "", whole), decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


def _figures_on(line: NumberedLine) -> frozenset[str]:
    """The figures of a line, however they are written: "01.04.2025" has those of "1 April 2025"."""
    text = line.text
    parts = (part.lstrip("0") for date in _DATE.finditer(text) for part in re.split(r"\D", date[0]))
    return figures_of(text) | numbers_in_words(text) | months_in_words(text) | frozenset(parts)


@dataclass(frozen=True, slots=True)
class Proven:
    """A sentence with the numbers and lines of its citations; without any nothing proves it."""

    text: str
    marks: tuple[int, ...]
    lines: tuple[NumberedLine, ...] = ()


class Proof:
    """Gives the sentences of one answer the citations that carry them.

    Citations are numbered in the order in which sentences use them.

    Args:
        lines: those that the model quoted.
        known: texts whose figures need no line: the question first, then names of files and pages,
            and what the program has worked out.
        first: the number of the first citation.
        others: all lines that were read.
        least: the share of a sentence's words that its lines must have; 0 for lines that the model
            has quoted itself, for a translated answer shares no word with them.

    """

    def __init__(
        self,
        lines: Sequence[NumberedLine],
        known: Iterable[str],
        *,
        least: float = 0.0,
        first: int = 1,
        others: Sequence[NumberedLine] = (),
    ) -> None:
        self._least = least
        self._first = first
        self._lines: list[NumberedLine] = []
        self._words: list[frozenset[str]] = []
        self._figures: list[frozenset[str]] = []
        for line in lines:
            self._add(line)
        self._others = others
        asked, *told = known
        self._asked = figures_of(asked)
        self._asked_words = words_of(asked)
        self._known = figures_of("\n".join(told))
        self._numbers: dict[int, int] = {}  # of a citation, by the number of its line
        self.citations: list[Citation] = []

    def prove(self, sentence: str, computed: frozenset[str] = frozenset()) -> Proven:
        """Find what carries a sentence.

        Args:
            sentence: one sentence, or one item of a list.
            computed: results that the program has worked out in it.

        """
        figures = figures_of(sentence)
        free = self._known | figures_of(" ".join(computed))
        if said(sentence) is not True:
            free |= self._asked  # who says yes to a figure needs a line that has it
        missing = figures - free - frozenset().union(*self._figures)
        if not self._lines or not self._find(missing, words_of(sentence)):
            return Proven(sentence, ())
        carrying = self._carrying(sentence, figures)
        marks = tuple(self._number(at) for at in carrying)
        return Proven(sentence, marks, tuple(self._lines[at] for at in carrying))

    def _find(self, figures: frozenset[str], words: frozenset[str]) -> bool:
        """Take the lines besides that have figures and words of a sentence; False if none has."""
        shared = {word for word in words | self._asked_words if not word.isdigit()}
        for figure in sorted(figures):
            having = [line for line in self._others if figure in _figures_on(line)]
            best = max(having, key=lambda line: len(shared & words_of(line.text)), default=None)
            if best is None or not (shared & words_of(best.text) or self._goes_on(best)):
                return False
            if best not in self._lines:
                self._add(best)
        return True

    def _goes_on(self, line: NumberedLine) -> bool:
        """Whether a line stands right behind a quoted one: it may have been cut in a sentence."""
        return any(
            one.number + 1 == line.number and one.source is line.source for one in self._lines
        )

    def _add(self, line: NumberedLine) -> None:
        self._lines.append(line)
        self._words.append(words_of(line.text))
        self._figures.append(_figures_on(line))

    def cite(self, line: NumberedLine) -> int:
        """Cite a quoted line as it is; returns the number of its citation."""
        return self._number(self._lines.index(line))

    def _carrying(self, sentence: str, figures: frozenset[str]) -> list[int]:
        """The lines that cover the words and figures of a sentence, the best first, then in order.

        A translated answer may share no word with its line; then all quoted lines carry it.
        """
        wanted = set(words_of(sentence)) | {f"#{figure}" for figure in figures}
        left = set(wanted)
        chosen: list[int] = []
        while left and len(chosen) < MOST_MARKS:
            gains = [len(left & self._signs(at)) for at in range(len(self._lines))]
            best = max(range(len(gains)), key=lambda at: (gains[at], -at))
            if not gains[best] or (chosen and gains[best] < max(1, len(wanted) // 5)):
                break
            chosen.append(best)
            left -= self._signs(best)
        if self._least:
            return sorted(chosen) if len(left) <= (1 - self._least) * len(wanted) else []
        return sorted(chosen) or self._elsewhere(words_of(sentence))

    def _elsewhere(self, words: frozenset[str]) -> list[int]:
        """Another line that has nearly all words of a sentence of which quoted ones have none.

        A translated answer has no such line; then all quoted ones carry it.
        """
        best = max(self._others, key=lambda line: len(words & words_of(line.text)), default=None)
        shared = len(words & words_of(best.text)) if best is not None else 0
        if best is None or shared < max(_LEAST_WORDS, _NEARLY * len(words)):
            return list(range(min(MOST_MARKS, len(self._lines))))
        if best not in self._lines:
            self._add(best)
        return [self._lines.index(best)]

    def _signs(self, at: int) -> set[str]:
        return set(self._words[at]) | {f"#{figure}" for figure in self._figures[at]}

    def _number(self, at: int) -> int:
        line = self._lines[at]
        number = self._numbers.get(line.number)
        if number is None:
            number = self._numbers[line.number] = self._first + len(self._numbers)
            self.citations.append(line.citation(number))
        return number
