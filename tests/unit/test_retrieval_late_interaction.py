"""Late interaction over a vocabulary of one direction per word."""

import numpy as np
import pytest

from xnai.retrieval.late_interaction import rerank
from xnai.retrieval.protocol import TokenVectors
from xnai.types import Passage


class WordEmbedder:
    """Every word is a direction of its own; equal words have cosine 1, others 0."""

    dimensions = 64

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    async def embed(self, texts):
        raise NotImplementedError

    async def embed_tokens(self, texts):
        return [self._tokens(text) for text in texts]

    def _tokens(self, text: str) -> TokenVectors:
        spans, start = [], 0
        for word in text.split():
            start = text.index(word, start)
            spans.append((start, start + len(word)))
            start += len(word)
        rows = np.zeros((len(spans), self.dimensions), np.float32)
        for row, (a, b) in zip(rows, spans, strict=True):
            word = text[a:b].strip(".?").lower()
            row[self.known.setdefault(word, len(self.known))] = 1
        return TokenVectors(rows, tuple(spans))


def passage(text: str, chunk: int) -> Passage:
    return Passage("d", "f", None, 0, len(text), text, 0.5, chunk)


async def ranked(question: str, *texts: str) -> list[Passage]:
    return await rerank(WordEmbedder(), question, [passage(t, i) for i, t in enumerate(texts)])


async def test_the_passage_that_matches_more_words_of_the_question_comes_first():
    found = await ranked("when was the lamp replaced", "The sea is wide.", "The lamp was replaced.")

    assert [p.chunk_id for p in found] == [1, 0]


async def test_the_evidence_is_the_sentence_that_matches_best():
    text = "Bread is baked on Friday. The lamp was replaced in 1987. The sea is wide."

    (found,) = await ranked("when was the lamp replaced", text)

    start, end = found.evidence
    assert text[start:end] == "The lamp was replaced in 1987."


async def test_a_passage_that_says_all_of_the_question_scores_one():
    (found,) = await ranked("the lamp", "The lamp.")

    assert found.score == pytest.approx(1.0)


async def test_equal_passages_keep_their_order():
    found = await ranked("lamp", "A lamp.", "A lamp.", "A lamp.")

    assert [p.chunk_id for p in found] == [0, 1, 2]


async def test_a_passage_or_a_question_without_tokens_scores_zero():
    assert [p.score for p in await ranked("lamp", "   ")] == [0.0]
    assert [p.score for p in await ranked("   ", "A lamp.")] == [0.0]


async def test_nothing_found_stays_nothing():
    assert await ranked("lamp") == []
