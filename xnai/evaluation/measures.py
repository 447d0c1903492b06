"""Measures of rankings and answers, each between 0 and 1."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_MARKS = re.compile(r"\s?\[(?:\d{1,2}|\?)\]")


def normalized(text: str) -> str:
    """A text as SQuAD's scorer compares it: folded, without punctuation and articles."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(
        " " if unicodedata.category(character)[0] in "PZC" else character for character in folded
    )
    return " ".join(_ARTICLES.sub(" ", plain).split())


def without_marks(text: str) -> str:
    """A text without citation marks such as ``[1]`` and ``[?]``."""
    return _MARKS.sub("", text)


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether whole words of a text are one of the answers."""
    padded = f" {normalized(text)} "
    return any(f" {answer} " in padded for answer in map(normalized, answers) if answer)


def exact(text: str, answers: Sequence[str]) -> float:
    """1 if the text is one of the answers and nothing else."""
    return float(normalized(text) in set(map(normalized, answers)))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """Harmonic mean of the words' precision and recall, for the nearest answer (SQuAD)."""
    return max((_f1(normalized(text).split(), normalized(a).split()) for a in answers), default=0.0)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def recall(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Share of the relevant ids among the first ``k``."""
    relevant = {key for key, gain in gains.items() if gain > 0}
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """1 / rank of the first relevant id, 0 if it is not among the first ``k``."""
    for rank, key in enumerate(ranking[:k], start=1):
        if gains.get(key, 0) > 0:
            return 1 / rank
    return 0.0


def ndcg(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Discounted cumulative gain against the best possible ranking (linear gains, as BEIR)."""

    def dcg(values: Sequence[float]) -> float:
        return sum(value / math.log2(rank + 1) for rank, value in enumerate(values, start=1))

    ideal = dcg(sorted(gains.values(), reverse=True)[:k])
    return dcg([gains.get(key, 0.0) for key in ranking[:k]]) / ideal if ideal else 0.0


def median(values: Sequence[float]) -> float:
    """The middle value, the lower one of two; 0 of none."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of none."""
    return sum(values) / len(values) if values else 0.0
