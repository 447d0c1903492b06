"""How sure an answer is: whether the evidence answers the question, and whether a span of it does.

An unanswerable question about the very subject of a document finds a sentence that matches well.
What tells it apart is weak: names and figures of the question that the passage does not have, a
question of what is not so where the sentence denies nothing, a close runner-up, a model that is not
sure of its words. Two logistic functions weigh such signs.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from xnai.citations import words_of
from xnai.types import Passage, TokenLogprob
from xnai.words import denies, is_negated, stem

Outcome = Literal["span", "sentence", "hedge"]

_LATER = re.compile(r"(?<=\S )[^\W\d_]\w+")  # a word, but not the first one
_FIGURE = re.compile(r"\d+")
_LEAST = -2.0  # mean log probability; what lies below says no more

# Fitted by `bench/fit_answers.py` on 620 questions with and 460 without an answer, of the
# development half of SQuAD 2.0 (seed 3), with the bundled model, before query likelihood was
# asked for: areas under the curve, on questions left out, 0.75 and 0.74.
EVIDENCE = {
    "constant": -2.42,
    "score": 4.12,
    "margin": 2.56,
    "missing_names": -1.09,
    "missing_figures": -2.74,
    "negated": -5.53,
    "said": 1.29,
}
SPAN = {
    "constant": -5.76,
    "score": 5.32,
    "missing_figures": -4.39,
    "began": 0.49,
    "belief": 2.82,
}
# Least probability that the evidence holds the answer, for it to be given as one; and that the span
# is the answer, for it to stand alone. Chosen on the same questions so that several things hold at
# once: less than half of the questions without an answer get one (0.46), more than half of those
# with one get it in a text that is not in doubt (0.59), and the mean F1 is above 0.3 (0.37).
ANSWERED = 0.42
SHORT = 0.35
# Least score of a follow-up's sentence. Of 150 questions searched together with the one before, on
# the same paragraph of SQuAD 2.0, none had less than 0.498; short files match less well than prose.
MATCHED = 0.35


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for or against an answer; the defaults are those of a middling one."""

    score: float = 0.72  # of the sentence
    margin: float = 0.0  # to the second best, both counted with their passages
    missing_names: float = 0.0  # share of the question's names that the passage does not have
    missing_figures: float = 0.0  # 1 if a figure of the question is not in the passage
    negated: float = 0.0  # 1 if it is asked what is not so, and the sentence denies nothing
    said: float = -0.5  # mean log probability of what the model said
    began: float = -0.9  # that of its first token
    belief: float = 0.0  # in the span: the F1 that is expected of it
    matched: float = 1.0  # the score again, told of a follow-up's sentence too


def signs_of(question: str, best: Passage, passages: Sequence[Passage], *, alone: bool) -> Signs:
    """The signs that the search gives.

    Args:
        question: what was asked.
        best: the sentence that answers, a part of one of the passages.
        passages: all that were found.
        alone: whether the question was searched alone; together with another one it matches less.

    """
    ranked = sorted(
        ((s.score + p.score, s.score, p.start + s.start) for p in passages for s in p.ranked),
        reverse=True,
    )
    own = next((one for one in ranked if one[2] == best.start), None)
    others = [total for total, _, start in ranked if start != best.start]
    text = next((p.text for p in passages if holds(p, best)), best.text)
    names = _names(question)
    figures = set(_FIGURE.findall(question)) - set(_FIGURE.findall(text))
    signs = Signs(
        margin=own[0] - others[0] if own and others else 0.0,
        missing_names=len(names - _content(text)) / max(1, len(names)),
        missing_figures=float(bool(figures)),
        negated=float(is_negated(question) and not denies(best.text)),
    )
    if own is None:
        return signs
    return replace(signs, matched=own[1], score=own[1] if alone else signs.score)


def with_model(signs: Signs, logprobs: Sequence[TokenLogprob], belief: float) -> Signs:
    """The signs with those that the model's text gives, if its log probabilities are known."""
    if not logprobs:
        return replace(signs, belief=belief)
    mean = sum(one.logprob for one in logprobs) / len(logprobs)
    began = logprobs[0].logprob
    return replace(signs, said=max(_LEAST, mean), began=began, belief=belief)


def outcome(signs: Signs, *, short: bool, alone: bool) -> Outcome:
    """What is shown: a span, the whole sentence, or a sentence that is said to be no answer.

    ``short``: whether a span can be the answer to such a question. ``alone``: whether it was
    searched alone; of a follow-up the signs tell only where hardly anything matches.
    """
    if signs.matched < MATCHED or (alone and probability(EVIDENCE, signs) < ANSWERED):
        return "hedge"
    return "span" if short and probability(SPAN, signs) >= SHORT else "sentence"


def probability(weights: Mapping[str, float], signs: Signs) -> float:
    """The logistic function of weighted signs; "constant" is the intercept."""
    values = asdict(signs) | {"constant": 1.0}
    return 1 / (1 + math.exp(-sum(weight * values[name] for name, weight in weights.items())))


def holds(passage: Passage, part: Passage) -> bool:
    """Whether a passage is the one that a part was taken from."""
    same = (passage.document_id, passage.page) == (part.document_id, part.page)
    return same and passage.start <= part.start and part.end <= passage.end


def _names(question: str) -> frozenset[str]:
    """The words with a capital; none where a capital tells nothing, as all words have one."""
    words = _LATER.findall(question)
    names = [word for word in words if word[0].isupper()]
    return frozenset() if len(names) == len(words) else _content(" ".join(names))


def _content(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words_of(text))
