"""Late interaction over a vocabulary of one direction per word."""

import re
from dataclasses import replace

import numpy as np
import pytest

from xnai.retrieval.binary_codes import encode
from xnai.retrieval.late_interaction import EMBEDDED_NOW, rerank
from xnai.retrieval.protocol import SearchQuery, TokenVectors
from xnai.types import Passage


class WordEmbedder:
    """Every word is a direction of its own; equal words have cosine 1, others 0."""

    dimensions = 64

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.embedded: list[str] = []

    async def embed_question(self, text):
        tokens = self._tokens(text)
        return SearchQuery(np.zeros(self.dimensions, np.float32), tokens)

    async def embed_tokens(self, texts):
        self.embedded += texts
        return [self._tokens(text) for text in texts]

    def _tokens(self, text: str) -> TokenVectors:
        words = [(found.start(), found.group().lower()) for found in re.finditer(r"[\w']+", text)]
        rows = np.zeros((len(words), self.dimensions), np.float32)
        for row, (_, word) in zip(rows, words, strict=True):
            row[self.known.setdefault(word, len(self.known))] = 1
        return TokenVectors(rows, np.array([start for start, _ in words], np.int32))


def passage(text: str, chunk: int) -> Passage:
    return Passage("d", "f", None, 0, len(text), text, 0.5, chunk)


async def ranked(question: str, *texts: str) -> list[Passage]:
    """Rank passages without codes."""
    embedder = WordEmbedder()
    passages = [passage(text, chunk) for chunk, text in enumerate(texts)]
    return await rerank(embedder, await embedder.embed_question(question), passages, {})


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


async def test_scores_begin_at_the_floor_and_end_at_one():
    embedder = WordEmbedder()
    asked = await embedder.embed_question("the lamp")
    asked = replace(asked, script="LATIN", floors=(0.25, -0.5))
    texts = ("The lamp.", "A lamp.", "Bread.", "Лампа lamp.")
    passages = [passage(text, chunk) for chunk, text in enumerate(texts)]

    found = await rerank(embedder, asked, passages, {})

    scores = {p.chunk_id: p.score for p in found}
    # Of the last one, in another script, half a match counts for more.
    assert [scores[chunk] for chunk in range(4)] == pytest.approx([1.0, 1 / 3, 0.0, 2 / 3])


async def test_equal_passages_keep_their_order():
    found = await ranked("lamp", "A lamp.", "A lamp.", "A lamp.")

    assert [p.chunk_id for p in found] == [0, 1, 2]


async def test_a_passage_or_a_question_without_tokens_scores_zero():
    assert [p.score for p in await ranked("lamp", "   ")] == [0.0]
    assert [p.score for p in await ranked("   ", "A lamp.")] == [0.0]


async def test_nothing_found_stays_nothing():
    assert await ranked("lamp") == []


async def test_codes_rank_without_the_embedder():
    texts = ["The sea is wide.", "The lamp was replaced."]
    embedder = WordEmbedder()
    codes = {chunk: encode(embedder._tokens(text)) for chunk, text in enumerate(texts)}
    passages = [passage(text, chunk) for chunk, text in enumerate(texts)]
    asked = await embedder.embed_question("when was the lamp replaced")
    embedder.embedded.clear()

    found = await rerank(embedder, asked, passages, codes)

    assert ([p.chunk_id for p in found], embedder.embedded) == ([1, 0], [])


async def test_of_passages_without_codes_so_many_are_read_that_it_takes_no_longer_than_ever():
    many = [f"The lamp was replaced in {year}." for year in range(1900, 1920)]

    found = await ranked("when was the lamp replaced", *many)

    assert [p.chunk_id for p in found] == list(range(EMBEDDED_NOW))


async def test_of_passages_that_match_alike_the_one_that_the_searches_ranked_higher_comes_first():
    embedder = WordEmbedder()
    asked = await embedder.embed_question("lamp")
    low, high = passage("A lamp.", 1), replace(passage("A lamp.", 2), score=0.9)

    found = await rerank(embedder, asked, [low, high], {})

    assert [p.chunk_id for p in found] == [2, 1]
    assert found[0].score == found[1].score
