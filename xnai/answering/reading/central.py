"""The most telling lines of a long document, for a summary of it.

Lines are ranked by LexRank (Erkan and Radev, JAIR 2004): one that says what many others say is
central. Of those that say the same only the first is taken, by maximal marginal relevance
(Carbonell and Goldstein, SIGIR 1998). Each stretch of the document gives its share, so that no part
of it goes unheard.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine

Matrix = npt.NDArray[np.float64]

_GROUP = 120  # lines that are compared with each other
_DAMPING = 0.85
_ROUNDS = 30
_NOVELTY = 0.6  # weight of what a line adds beside how central it is
_LEAST_WORDS = 4  # of a line that can tell something


def central_lines(lines: Sequence[NumberedLine], characters: int) -> list[NumberedLine]:
    """Choose lines of about so many characters in all, in their order.

    Args:
        lines: all lines of the documents, in order.
        characters: how many the chosen ones may have together.

    """
    telling = [line for line in lines if len(words_of(line.text)) >= _LEAST_WORDS] or list(lines)
    total = sum(len(line.text) for line in telling)
    if total <= characters:
        return telling
    weights = _weights(telling)
    chosen: list[NumberedLine] = []
    room = 0.0
    for begin in range(0, len(telling), _GROUP):
        group = telling[begin : begin + _GROUP]
        room += characters * sum(len(line.text) for line in group) / total
        # In very long documents few groups have room for a line, and ranking all would take long.
        if room < min(len(line.text) for line in group):
            continue
        for line in _ranked(group, weights):
            if len(line.text) > room:
                break
            chosen.append(line)
            room -= len(line.text)
    numbers = {line.number for line in chosen}
    return [line for line in lines if line.number in numbers]


def _weights(lines: Sequence[NumberedLine]) -> dict[str, float]:
    """The inverse document frequency of words, a line being a document."""
    counts = Counter(word for line in lines for word in words_of(line.text))
    return {word: math.log(len(lines) / count) for word, count in counts.items()}


def _ranked(group: Sequence[NumberedLine], weights: dict[str, float]) -> list[NumberedLine]:
    """The lines of a group, the most telling first, each with something new."""
    similar = _similarities(group, weights)
    central = _centrality(similar)
    left, order = list(range(len(group))), []
    said = np.zeros(len(group))
    while left:
        best = max(left, key=lambda at: central[at] - _NOVELTY * said[at])
        left.remove(best)
        order.append(group[best])
        said = np.maximum(said, similar[best])
    return order


def _similarities(group: Sequence[NumberedLine], weights: dict[str, float]) -> Matrix:
    """Cosines of all pairs of lines; shape (lines, lines)."""
    words = [words_of(line.text) for line in group]
    columns = {word: at for at, word in enumerate(sorted(set().union(*words)))}
    vectors = np.zeros((len(group), max(1, len(columns))))
    for row, own in enumerate(words):
        for word in own:
            vectors[row, columns[word]] = weights[word]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths == 0, 1.0, lengths)
    return np.asarray(vectors @ vectors.T)


def _centrality(similar: Matrix) -> Matrix:
    """LexRank scores, the highest 1; shape (lines,)."""
    steps = similar / np.maximum(similar.sum(axis=1, keepdims=True), 1e-9)
    scores = np.full(len(similar), 1 / len(similar))
    for _ in range(_ROUNDS):
        scores = (1 - _DAMPING) / len(similar) + _DAMPING * steps.T @ scores
    return np.asarray(scores / scores.max())
