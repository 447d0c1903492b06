"""The stretch of a sentence that answers a question, as far as a small model can help to find it.

A model of 135 million weights repeats the question, or goes on past the answer. So its text is not
shown: it is one sign among others (the kind of answer asked for, the question's words around a
stretch, where stretches begin and end) by which the stretches of the evidence are compared, as in
the logistic regression of Rajpurkar et al. (SQuAD, 2016), with 15 signs instead of many thousand.

Of many stretches that overlap each has little of the belief. So it is not the likeliest one that
is taken, but the one whose words agree best with all of them, weighed by belief: the decision of
least Bayes risk (Kumar and Byrne, HLT-NAACL 2004), with 1 - F1 as the loss.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xnai.citations import words_of
from xnai.words import (
    ABOUT,
    ARTICLES,
    AUXILIARIES,
    CLAUSES,
    FUNCTION,
    LINKS,
    NUMBERS,
    PARTS,
    PREPOSITIONS,
    TIME,
    is_abbreviation,
    kind_of_answer,
    readable,
    stem,
    stems,
)

LONGEST = 12  # words of a span
CHARACTERS = 800  # of evidence that is looked at
_LONGEST_NUMBER = 5  # words
_NEAR = 8  # words on either side whose match with the question counts, less the farther
_FADING = 0.8
_LONG = 5  # words from which on length counts against a span
_LIKELY = 500  # spans that are compared with each other
_UNLIKELY = 1e-4  # a probability that counts as none
_LEAD = 4  # words in which a span shows its kind
_TOKEN = re.compile(r"[$\u20ac\u00a3]?[\w'\u2019]+(?:[.,:/\u2019'-]\w+)*[%\u00b0]?")
_BREAK = re.compile(r"[.;:!?()\[\]\u2014\n]")
_MONTH = "May"  # unlike "may", it tells something
_MARK = re.compile(r"[,.;:!?()\[\]\"\u201c\u201d\u2014-]")

# Fitted by `bench/fit_answers.py` on 620 questions of the development half of SQuAD 2.0 (seed 3),
# with the bundled model. The span chosen for questions left out has an F1 of 0.50; the likeliest
# has 0.47.
WEIGHTS = {
    "typed": 4.42,
    "said": 2.75,
    "begun": 1.58,
    "asked": 0.42,
    "name": 1.11,
    "first": 1.91,
    "asked_before": 1.3,
    "asked_after": 0.81,
    "clause_inside": -0.55,
    "auxiliary_inside": -1.22,
    "after_auxiliary": -0.06,
    "after_preposition": 0.73,
    "before_mark": 1.05,
    "cut_short": -0.93,
    "long": -0.86,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said, and the tokens it could have begun with, with their probabilities."""

    text: str
    beginnings: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the evidence, and the F1 that is expected of it, 0 to 1."""

    text: str
    belief: float


class Spans:
    """The stretches of a text that can answer a question.

    Args:
        text: the evidence; white space counts as one blank, and links as their words.
        question: what was asked.

    """

    def __init__(self, text: str, question: str) -> None:
        self.text = _beginning(readable(_beginning(text, 4 * CHARACTERS)), CHARACTERS)
        self.kind = kind_of_answer(question)
        self._asked = stems(question)
        self._content = frozenset(stem(word) for word in words_of(question))
        self._tokens = [match.span() for match in _TOKEN.finditer(self.text)]
        words = [self.text[a:b] for a, b in self._tokens]
        self._words = [word if word == _MONTH else word.casefold() for word in words]
        self._stems = [stems(word) for word in self._words]
        self._new = [
            word not in FUNCTION | ARTICLES and not own <= self._asked
            for word, own in zip(self._words, self._stems, strict=True)
        ]
        starts = [i for i in range(len(self._tokens)) if self._begins(i)]
        self.fits = self.kind in {"thing", "sentence"} or any(map(self._is_fit, starts))
        self._spans = [(i, j) for i in starts for j in self._run(i, LONGEST) if self._ends(j)]

    def __len__(self) -> int:
        return len(self._spans)

    def texts(self) -> list[str]:
        """The spans themselves, in the order of ``signs``."""
        return [self._text(i, j) for i, j in self._spans]

    def best(self, said: Said) -> Span | None:
        """The span that answers best, given what a model said; None if there is none."""
        if not self._spans:
            return None
        expected = self.expected(np.array(self.signs(said)) @ np.array(tuple(WEIGHTS.values())))
        best = int(expected.argmax())
        return Span(self._text(*self._spans[best]), float(expected[best]))

    def expected(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The F1 that is expected of each span, if one is right with the softmax of its score.

        0 for what is not among the likeliest, of which there are enough.
        """
        likely = np.argsort(-scores, kind="stable")[:_LIKELY]
        belief = np.exp(scores[likely] - scores[likely[0]])
        first, last = np.array(self._spans)[likely].T
        count = last - first + 1
        common = np.minimum.outer(last, last) - np.maximum.outer(first, first) + 1
        f1 = 2 * np.maximum(common, 0) / np.add.outer(count, count)
        expected = np.zeros(len(scores))
        expected[likely] = f1 @ (belief / belief.sum())
        return expected

    def signs(self, said: Said) -> list[tuple[float, ...]]:
        """For each span the values that ``WEIGHTS`` weigh, in the same order."""
        new = stems(said.text) - self._content - ARTICLES - FUNCTION
        longest = {i: self._typed_run(i) for i in {i for i, _ in self._spans}}
        begun = {i: self._begun(i, said) for i in longest}
        return [self._signs(i, j, new, begun[i], j in longest[i]) for i, j in self._spans]

    def _begun(self, i: int, said: Said) -> float:
        """How likely the model was to begin with a word, on a scale from 1 down to 0."""
        rest = self.text[self._tokens[i][0] :]
        likely = sum(p for token, p in said.beginnings if rest.startswith(token))
        return max(0.0, 1 + math.log(likely + _UNLIKELY) / -math.log(_UNLIKELY))

    def _signs(
        self, i: int, j: int, said: frozenset[str], begun: float, typed: bool
    ) -> tuple[float, ...]:
        words, inside = self._words, range(i, j + 1)
        before = "" if i == 0 else words[i - 1]
        opened = not before or bool(_MARK.search(self._gap(i)))
        closed = j + 1 == len(words) or bool(_MARK.search(self._gap(j + 1)))
        return (
            float(typed),
            self._overlap(i, j, said),
            begun,
            sum(self._is_asked(k) for k in inside) / len(inside),
            float(self.kind == "thing" and i > 0 and self._is_name(i, j)),
            float(i == 0),
            self._asked_near(range(i - 1, max(0, i - _NEAR) - 1, -1)),
            self._asked_near(range(j + 1, min(len(words), j + _NEAR + 1))),
            float(any(words[k] in CLAUSES for k in inside)),
            float(any(words[k] in AUXILIARIES for k in inside)),
            float(not opened and before in AUXILIARIES),
            float(not opened and before in PREPOSITIONS),
            float(closed),
            float(not closed and words[j + 1] not in FUNCTION),
            max(0, len(inside) - _LONG) / _LONG,
        )

    def _text(self, i: int, j: int) -> str:
        return self.text[self._tokens[i][0] : self._tokens[j][1]]

    def _gap(self, i: int) -> str:
        """What stands between a word and the one before it."""
        return self.text[self._tokens[i - 1][1] : self._tokens[i][0]]

    def _is_asked(self, i: int) -> bool:
        return not self._stems[i].isdisjoint(self._content)

    def _asked_near(self, places: Sequence[int]) -> float:
        return sum(_FADING**far for far, k in enumerate(places) if self._is_asked(k))

    def _overlap(self, i: int, j: int, said: frozenset[str]) -> float:
        """The F1 of a span's words and the new ones of what the model said."""
        own = {w for k in range(i, j + 1) if self._words[k] not in ARTICLES for w in self._stems[k]}
        return 2 * len(own & said) / (len(own) + len(said)) if own and said else 0.0

    def _is_name(self, i: int, j: int) -> bool:
        told = [k for k in range(i, j + 1) if self._words[k] not in FUNCTION | ARTICLES]
        return bool(told) and all(self.text[self._tokens[k][0]].isupper() for k in told)

    def _begins(self, i: int) -> bool:
        if self._words[i] in ARTICLES | ABOUT:
            return any(self._new[j] for j in self._run(i, _LEAD - 1)[1:])
        return self._new[i]

    def _ends(self, i: int) -> bool:
        is_label = i + 1 < len(self._tokens) and self._gap(i + 1).startswith(":")
        return not is_label and self._words[i] not in FUNCTION | ARTICLES | ABOUT

    def _run(self, i: int, count: int) -> list[int]:
        """The words from one on that a span may go through."""
        run = [i]
        for j in range(i + 1, min(i + count, len(self._tokens))):
            if self._is_broken(j):
                break
            run.append(j)
        return run

    def _is_broken(self, i: int) -> bool:
        """Whether a word cannot belong to the same answer as the one before it."""
        gap = self._gap(i)
        if gap.rstrip() == "." and self._is_short_form(i - 1):
            return False  # "Fort St. Fr\u00e9d\u00e9ric", "J. K. Rowling"
        return bool(_BREAK.search(gap))

    def _is_short_form(self, i: int) -> bool:
        """Whether the stop behind a word may stand within a name.

        "World War I." and "vitamin C." end sentences: a letter counts beside another initial, or
        after a name.
        """
        start, end = self._tokens[i]
        if self._words[i] == "no" or not is_abbreviation(self.text, end + 1):
            return False
        if end - start > 1:
            return True
        beside = [k for k in (i - 1, i + 1) if 0 <= k < len(self._tokens)]
        initials = any(
            self.text[a:b].isupper() for a, b in (self._tokens[k] for k in beside) if b - a == 1
        )
        named = i > 0 and self.text[self._tokens[i - 1][0]].isupper() and self._words[i] != "i"
        return initials or named

    def _is_fit(self, i: int) -> bool:
        """Whether a span of the kind asked for may begin with a word."""
        leading = ARTICLES if self.kind == "name" else ARTICLES | ABOUT | PARTS
        return self._is_typed(
            next((j for j in self._run(i, _LEAD) if self._words[j] not in leading), i)
        )

    def _is_typed(self, i: int) -> bool:
        word = self._words[i]
        match self.kind:
            case "number":
                return any(c.isdigit() for c in word) or word.split("-")[0] in NUMBERS
            case "date":
                return bool(TIME.search(self.text, *self._tokens[i]))
            case "name":
                return self.text[self._tokens[i][0]].isupper() and word not in FUNCTION
            case _:
                return False

    def _typed_run(self, i: int) -> list[int]:
        """The words of the longest span of the kind asked for that begins with a word."""
        if not self._is_fit(i):
            return []
        run = self._run(i, LONGEST)
        if self.kind == "number":
            return run[:_LONGEST_NUMBER]
        linking = ARTICLES | ABOUT | PARTS | LINKS
        end = next((k for k, j in enumerate(run) if not self._goes_on(j, linking)), len(run))
        return run[: max(1, end)]

    def _goes_on(self, i: int, linking: frozenset[str]) -> bool:
        return self._words[i] in linking or self._is_typed(i) or self._words[i][0].isdigit()


def _beginning(text: str, length: int) -> str:
    """The first words: the last of them is left out whole, as its half would say something else."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0] or text[:length]
