"""Fusion of rankings, and search with real fakes for index and embedder."""

import asyncio

import numpy as np
import pytest

from xnai.errors import INDEX_DAMAGED, SEARCH_DOWN, XnaiError
from xnai.retrieval.binary_codes import encode
from xnai.retrieval.protocol import SearchQuery, TokenVectors
from xnai.retrieval.search import HybridSearch, fuse
from xnai.text.english import MAX_CHARACTERS
from xnai.types import Passage, Scope

SCOPE = Scope("me")
ONE_TOKEN = TokenVectors(np.array([[1, 0]], np.float32), np.zeros(1, np.int32))


class ListIndex:
    """An index that answers with fixed lists."""

    def __init__(self, by_meaning=(), by_words=(), error=None) -> None:
        self.by_meaning, self.by_words, self.error = list(by_meaning), list(by_words), error
        self.queries = []

    async def search_vectors(self, vector, scope, limit):
        if self.error:
            raise self.error
        return [(chunk, 1.0) for chunk in self.by_meaning]

    async def search_text(self, query, scope, limit):
        self.queries.append(query)
        return [(chunk, 1.0) for chunk in self.by_words]

    async def page_text(self, document_id, page):
        return None

    async def passages(self, hits):
        return [Passage("d", "f", None, 0, 1, f"t{c}", score, c) for c, score in hits]

    async def token_codes(self, chunk_ids, dimensions):
        return dict.fromkeys(chunk_ids, encode(ONE_TOKEN))


class UnitEmbedder:
    """An embedder that answers with one fixed vector, or fails."""

    def __init__(self, error=None) -> None:
        self.error = error

    async def embed_question(self, text):
        if self.error:
            raise self.error
        return SearchQuery(ONE_TOKEN.vectors[0], ONE_TOKEN)

    async def embed_tokens(self, texts):
        return [ONE_TOKEN for _ in texts]


def test_a_chunk_found_by_both_searches_ranks_above_one_that_leads_one_of_them():
    assert [chunk for chunk, _ in fuse([[(1, 9), (2, 8)], [(3, 9), (2, 8)]])] == [2, 1, 3]


def test_the_first_of_every_search_scores_one():
    assert fuse([[(1, 0.3)], [(1, 7.0)]]) == [(1, 1.0)]


def test_the_first_of_the_only_search_scores_one():
    assert fuse([[(1, 0.3)]]) == [(1, 1.0)]


def test_equal_scores_are_ordered_by_chunk_whichever_search_found_them():
    one, two = [(5, 1), (6, 1)], [(3, 1), (4, 1)]
    assert [chunk for chunk, _ in fuse([one, two])] == [3, 5, 4, 6]
    assert [chunk for chunk, _ in fuse([two, one])] == [3, 5, 4, 6]


async def test_passages_come_best_first_and_no_more_than_asked_for():
    search = HybridSearch(ListIndex([1, 2, 3], [2, 4]), UnitEmbedder())
    assert [p.chunk_id for p in await search.search("q", SCOPE, 2)] == [2, 1]


async def test_without_embedder_words_alone_are_compared_and_the_reason_is_told():
    error = XnaiError(SEARCH_DOWN, reason="gone")
    found = await HybridSearch(ListIndex([1], [2]), UnitEmbedder(error)).find("q", SCOPE, 5)
    assert ([2], error) == ([p.chunk_id for p in found.passages], found.text_only)


async def test_a_damaged_index_is_an_error():
    error = XnaiError(INDEX_DAMAGED, path="x", reason="y")
    search = HybridSearch(ListIndex(error=error), UnitEmbedder())
    with pytest.raises(XnaiError) as caught:
        await search.search("q", SCOPE, 5)
    assert error is caught.value


async def test_no_task_is_left_when_the_vector_search_fails():
    before = asyncio.all_tasks()
    search = HybridSearch(ListIndex(error=ValueError()), UnitEmbedder())
    with pytest.raises(ValueError):  # noqa: PT011 - the fake's own
        await search.search("q", SCOPE, 5)
    assert before == asyncio.all_tasks()


@pytest.mark.parametrize("question", ["", "  \n\t"])
async def test_an_empty_question_finds_nothing(question):
    assert await HybridSearch(ListIndex([1], [1]), UnitEmbedder()).search(question, SCOPE, 5) == []


async def test_of_a_long_question_beginning_and_end_are_searched():
    index = ListIndex()
    await HybridSearch(index, UnitEmbedder()).search("start " + "x" * 200_000 + " end", SCOPE, 5)
    (query,) = index.queries
    assert (
        query.startswith("start "),
        query.endswith(" end"),
        len(query),
    ) == (True, True, MAX_CHARACTERS + 1)
