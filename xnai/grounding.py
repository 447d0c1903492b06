"""Evidence first: the sentences that answer a question, and whether any of them does.

What a model makes of a question depends on its size. One under a billion weights is led astray by
whole passages, so it is given the one sentence that matches best and asked to copy from it; and
since it answers whatever it is asked, a search that found little is not put to it at all.
"""

from collections.abc import Sequence
from dataclasses import replace

from xnai.citations import Citer, cite, words_of
from xnai.types import Citation, Passage, Sampling

LARGE_MODEL = 1_000_000_000  # weights; above, whole passages help more than they distract
QUOTED = 2  # sentences that are quoted under an answer
NOT_FOUND = "This is not in your documents, as far as I can tell."
# The least score of the best sentence, by calibration on questions of the development half of
# SQuAD 2.0 (docs/benchmarks.md): under the first, half of the unanswerable ones fall and a quarter
# of the others; under the second, hardly any question that has an answer.
LEAST_FOR_SMALL = 0.64
LEAST_FOR_LARGE = 0.45
COPY_TOKENS = 64  # a copied answer is shorter
_COPIED = 0.8  # share of an answer's words that must stand in the evidence


def is_small(parameters: int) -> bool:
    """Whether a model of that many weights is given evidence alone; 0: unknown, taken for large."""
    return 0 < parameters < LARGE_MODEL


def evidence(passages: Sequence[Passage], count: int = QUOTED) -> tuple[Citation, ...]:
    """The sentences that answer best, as quotes with their places, best first.

    A sentence counts with its passage: measured on SQuAD, one of the first two so ranked holds the
    answer in 0.90 of the questions, one of the best passage's two in 0.87.
    """
    ranked = sorted(
        (
            (sentence.score + passage.score, index, passage, sentence)
            for index, passage in enumerate(passages, start=1)
            for sentence in passage.ranked
        ),
        key=lambda entry: (-entry[0], entry[1]),
    )
    return tuple(
        cite(index, passage, sentence.start, sentence.end)
        for _, index, passage, sentence in ranked[:count]
    )


def is_found(passages: Sequence[Passage], parameters: int) -> bool:
    """Whether the best sentence matches well enough to be put to a model of that many weights.

    A search by words alone has no such score, and is taken at its word.
    """
    best = max((p.ranked[0].score for p in passages if p.ranked), default=1.0)
    return best >= (LEAST_FOR_SMALL if is_small(parameters) else LEAST_FOR_LARGE)


def fit_to_strength(parameters: int, passages: Sequence[Passage]) -> list[Passage]:
    """What of the passages a model of that many weights can make use of.

    A small model gets the sentence that answers best, and nothing that could lead it astray. A
    large one gets the passages whole.
    """
    if not is_small(parameters) or not passages or passages[0].evidence is None:
        return list(passages)
    best = passages[0]
    start, end = passages[0].evidence
    sentence = replace(
        best,
        text=best.text[start:end],
        start=best.start + start,
        end=best.start + end,
        evidence=None,
        ranked=(),
    )
    return [sentence]


def copying(sampling: Sampling) -> Sampling:
    """How tokens are drawn when a sentence is to be copied from: repeating is no fault then."""
    return replace(
        sampling,
        temperature=0.0,
        repeat_penalty=1.0,
        max_tokens=min(sampling.max_tokens, COPY_TOKENS),
        stop=(*sampling.stop, "\n"),
    )


def is_copied(answer: str, evidence_text: str) -> bool:
    """Whether an answer stands in the evidence: nearly all of its words, and each figure."""
    words, own = words_of(answer), words_of(evidence_text)
    figures = {word for word in words if any(c.isdigit() for c in word)}
    return bool(words) and figures <= own and len(words & own) >= _COPIED * len(words)


class CopyCiter:
    """Holds a small model's answer until it is whole, and shows it only if it was copied.

    What does not stand in the evidence is replaced by the evidence itself, in quotation marks:
    measured on SQuAD, the right answer is then shown in 0.70 of the questions instead of 0.47.

    Args:
        passages: all that were found, the one with the evidence first.
        best: the evidence that the model was given, a part of the first passage.

    """

    def __init__(self, passages: Sequence[Passage], best: Passage) -> None:
        self._passages = tuple(passages)
        self._best = best
        self._text = ""
        self._quoted: tuple[Citation, ...] = ()
        self._citer: Citer | None = None

    def feed(self, text: str) -> str:
        """Take text from the model; nothing is shown yet."""
        self._text += text
        return ""

    def finish(self) -> str:
        """Give back what is shown, with its mark."""
        answer = self._text.strip()
        if is_copied(answer, self._best.text):
            self._citer = Citer(self._passages[:1])
            return self._citer.feed(answer) + self._citer.finish()
        start = self._best.start - self._passages[0].start
        end = self._best.end - self._passages[0].start
        self._quoted = (cite(1, self._passages[0], start, end),)
        return f"\u201c{' '.join(self._best.text.split())}\u201d [1]"

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What was cited, by number."""
        return self._citer.citations if self._citer else self._quoted
