"""Evidence first: the sentences that answer a question, and whether any of them does.

What a model makes of a question depends on its size. One under a billion weights is led astray by
whole passages, so it is given the one sentence that matches best and asked to copy from it; and
since it answers whatever it is asked, a search that found little is not put to it at all.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from xnai.citations import cite, words_of
from xnai.confidence import holds, outcome, signs_of, with_model
from xnai.events import Question
from xnai.retrieval.sentences import with_following
from xnai.spans import Said, Spans
from xnai.types import Citation, Passage, Sampling, TokenLogprob
from xnai.words import ARTICLES, FUNCTION, readable, shortened, stem, stems

LARGE_MODEL = 1_000_000_000  # weights; above, whole passages help more than they distract
QUOTED = 3  # sentences that are quoted under an answer
NOT_FOUND = "This is not in your documents, as far as I can tell."
HEDGE = "No exact answer found. Closest:"
# The least score of the best sentence. Under the first lay 2 of 120 questions of SQuAD 2.0 (the
# development half) that have an answer, and 94 % of those about something else altogether; what is
# little above it is given as no exact answer (see confidence.py). At 0.55 it was 14 of the 120.
LEAST_FOR_SMALL = 0.475
LEAST_FOR_LARGE = 0.45
COPY_TOKENS = 64  # a copied answer is shorter
BEGINNINGS = 20  # tokens that the model could have begun with
_COPIED = 0.8  # share of an answer's words that must stand in the evidence
_NEAR = 0.1  # below the best sentence, counted with its passage
_LONGEST_COPY = 20  # words; beyond, the model goes round in circles


def is_small(parameters: int) -> bool:
    """Whether a model of that many weights is given evidence alone; 0: unknown, taken for large."""
    return 0 < parameters < LARGE_MODEL


def evidence(passages: Sequence[Passage], count: int = QUOTED) -> tuple[Citation, ...]:
    """The sentences that answer best, as quotes with their places, best first.

    A sentence counts with its passage: measured on SQuAD, one of the first three so ranked holds
    the answer in 0.92 of the questions, one of the best passage's three in 0.885.
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


def fit_to_strength(parameters: int, passages: Sequence[Passage], question: str) -> list[Passage]:
    """What of the passages a model of that many weights can make use of.

    A small model gets the sentence that answers best, and nothing that could lead it astray. A
    large one gets the passages whole.
    """
    if not is_small(parameters) or not passages or passages[0].evidence is None:
        return list(passages)
    passage, start, end = _best_sentence(passages, shortened(question))
    return [
        replace(
            passage,
            text=passage.text[start:end],
            start=passage.start + start,
            end=passage.start + end,
            evidence=None,
            ranked=(),
        )
    ]


def _best_sentence(passages: Sequence[Passage], question: str) -> tuple[Passage, int, int]:
    """The evidence of the best passage; if it has nothing of the kind asked for, a near second.

    "When" is not answered by a sentence without a date. A heading that says no more than the
    question is not the answer; what stands under it may be.
    """
    first = passages[0]
    assert first.evidence is not None
    best = (first, *first.evidence)
    if not _says_more(first.text[slice(*first.evidence)], question):
        return first, *with_following(first.text, first.evidence)
    if _has_kind(best, question):
        return best
    ranked = sorted(
        ((s.score + p.score, p, s) for p in passages for s in p.ranked), key=lambda one: -one[0]
    )
    near = [(p, s.start, s.end) for score, p, s in ranked if score >= ranked[0][0] - _NEAR]
    return next((one for one in near if _has_kind(one, question)), best)


def _says_more(sentence: str, question: str) -> bool:
    """Whether a sentence has words that the question has not: a heading may have none."""
    return bool(stems(sentence) - stems(question) - ARTICLES - FUNCTION)


def _has_kind(sentence: tuple[Passage, int, int], question: str) -> bool:
    passage, start, end = sentence
    return Spans(passage.text[start:end], question).fits


def may_copy(question: Question) -> bool:
    """Whether the answer may be other text than the model's own, of which a client asked more."""
    sampling = question.sampling
    asks_for_text = sampling.bound or sampling.stop or sampling.logprobs is not None
    return not (asks_for_text or question.continues)


def copying(sampling: Sampling, *, logprobs: bool = True) -> Sampling:
    """How tokens are drawn when a sentence is to be copied from: repeating is no fault then.

    ``logprobs``: how sure the model is of its words is asked for, if nothing was asked for yet.
    """
    wanted = BEGINNINGS if logprobs and sampling.logprobs is None else sampling.logprobs
    return replace(
        sampling,
        temperature=0.0,
        repeat_penalty=1.0,
        max_tokens=min(sampling.max_tokens, COPY_TOKENS),
        stop=(*sampling.stop, "\n"),
        logprobs=wanted,
    )


def said(text: str, logprobs: Sequence[TokenLogprob]) -> Said:
    """What the model said, with what else it could have begun with, if that is known."""
    likely = logprobs[0].alternatives if logprobs else ()
    beginnings = ((one.token.strip(), math.exp(one.logprob)) for one in likely)
    return Said(text, tuple((token, p) for token, p in beginnings if token))


def is_copied(answer: str, evidence_text: str, question: str) -> bool:
    """Whether a short answer stands in the evidence and says more than the question did.

    Nearly all of its words must be there, and each figure.
    """
    words, own = words_of(answer), words_of(evidence_text)
    figures = {word for word in words if any(c.isdigit() for c in word)}
    return (
        len(answer.split()) <= _LONGEST_COPY
        and figures <= own
        and len(words & own) >= _COPIED * len(words)
        and any(stem(word) not in stems(question) for word in words)
    )


class CopyCiter:
    """Holds a small model's text until it is whole, and shows what it helped to find.

    What is shown stands in the evidence, always: the span that answers, or the whole sentence where
    no span is sure enough or none would do, or the sentence in quotation marks where it is doubtful
    whether it answers at all.

    Args:
        question: what was asked.
        passages: all that were found.
        best: the evidence that the model was given, a part of one of the passages.
        alone: whether the question was searched alone, and not together with the one before it.

    """

    def __init__(
        self, question: str, passages: Sequence[Passage], best: Passage, *, alone: bool
    ) -> None:
        self._question = shortened(question)  # it may be as long as a request may
        self._passages = tuple(passages)
        self._best = best
        self._alone = alone
        self._text = ""
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self.citations: tuple[Citation, ...] = ()

    def feed(self, text: str) -> str:
        """Take text from the model; nothing is shown yet."""
        self._text += text
        return ""

    def note(self, logprobs: Sequence[TokenLogprob]) -> None:
        """Take the log probabilities of the text's tokens."""
        self._logprobs += tuple(logprobs)

    def finish(self) -> str:
        """Give back what is shown, with its mark, and cite the evidence."""
        best = self._best
        spans = Spans(best.text, self._question)
        span = spans.best(said(self._text, self._logprobs))
        signs = signs_of(self._question, best, self._passages, alone=self._alone)
        signs = with_model(signs, self._logprobs, span.belief if span else 0.0)
        short = span is not None and spans.kind != "sentence"
        index = self._cite()
        sentence = readable(best.text)
        match outcome(signs, short=short, alone=self._alone):
            case "span":
                assert span is not None
                return f"{span.text} [{index}]"
            case "sentence":
                return f"{sentence} [{index}]"
            case _:
                return f"{HEDGE} \u201c{sentence}\u201d [{index}]"

    def _cite(self) -> int:
        """Cite the evidence; returns its passage's number."""
        best = self._best
        index = 1 + next(i for i, p in enumerate(self._passages) if holds(p, best))
        passage = self._passages[index - 1]
        before = best.start - passage.start
        self.citations = (cite(index, passage, before, before + len(best.text)),)
        return index
