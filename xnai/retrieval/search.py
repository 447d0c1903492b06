"""Hybrid search: by words and by meaning, fused by rank, the best reranked token by token."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import structlog

from xnai.aio import cancel_and_wait
from xnai.errors import INDEX_DAMAGED, XnaiError
from xnai.observability import searching
from xnai.retrieval.late_interaction import rerank
from xnai.retrieval.postprocess import joined, without_repeats
from xnai.retrieval.protocol import QuestionEmbedder, Reranker, Searchable, SearchQuery
from xnai.text.english import shortened
from xnai.types import Passage, Scope

CANDIDATES = 100  # of each search
RERANKED = 50  # of the fused ones; measured: more find no more
CONSIDERED = 10  # of these, by the cross-encoder, if there is one
RANK_CONSTANT = 10  # measured best on SciFact and SQuAD, where the paper's 60 is for long lists

Hits = Sequence[tuple[int, float]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The passages found, best first.

    ``text_only`` is the reason why only the words were compared and not the meaning, if so.
    """

    passages: list[Passage]
    text_only: XnaiError | None = None


class HybridSearch:
    """Searches an index by BM25 and by embedding at once."""

    def __init__(
        self, index: Searchable, embedder: QuestionEmbedder, reranker: Reranker | None = None
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._reranker = reranker

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        """The best passages, best first; see ``find``."""
        return (await self.find(question, scope, limit)).passages

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """The best passages, and whether the search was a full one.

        Scores are cosines of late interaction, 0 to 1. Without embedder they are shares of the
        best possible rank: 1 means ranked first.

        Raises:
            XnaiError: the index cannot be searched. Without embedder, words alone are compared;
                a reranker that fails leaves the order as it is.

        """
        query = shortened(question)
        if not query.strip():
            return Found([])
        count = max(CANDIDATES, limit)
        by_words = asyncio.create_task(
            searching.of("words", self._index.search_text, query, scope, count)
        )
        try:
            asked, text_only = await self._asked(query)
            rankings = await self._rankings(asked, by_words, scope, count)
        finally:
            await cancel_and_wait(by_words)
        fused = fuse(rankings)[: max(RERANKED, 2 * limit)]
        passages = await searching.of("fetch", self._index.passages, fused)
        if asked is not None:
            try:
                passages = await searching.of("rerank", self._compared, asked, passages)
            except XnaiError as error:
                log.warning("search.text_only", code=error.code)
                text_only = error
        passages = without_repeats(passages, max(CONSIDERED, limit))
        passages = await self._reranked(query, passages)
        return Found(await joined(self._index, passages, limit), text_only)

    async def _rankings(
        self, asked: SearchQuery | None, by_words: Awaitable[Hits], scope: Scope, count: int
    ) -> list[Hits]:
        """What the searches have found; where the index is damaged for one, what the other has.

        Raises:
            XnaiError: none of them has found anything because of an error.

        """
        rankings: list[Hits] = []
        damaged: list[XnaiError] = []
        searches = [by_words]
        if asked is not None:
            search = self._index.search_vectors
            searches.insert(0, searching.of("vectors", search, asked.vector, scope, count))
        for search_of_one in searches:
            try:
                rankings.append(await search_of_one)
            except XnaiError as error:
                if error.kind is not INDEX_DAMAGED:
                    raise
                log.warning("search.index_damaged", reason=error.message)
                damaged.append(error)
        if not any(rankings) and damaged:
            raise damaged[0]
        return rankings

    async def _reranked(self, query: str, passages: list[Passage]) -> list[Passage]:
        """The passages in the reranker's order, or as they are without one that works."""
        if self._reranker is None:
            return passages
        try:
            order = self._reranker.rerank
            return await searching.of("cross_encode", order, query, passages)
        except XnaiError as error:
            log.warning("search.not_reranked", code=error.code, reason=error.message)
            return passages

    async def _compared(self, asked: SearchQuery, passages: list[Passage]) -> list[Passage]:
        """The passages in the order of late interaction."""
        ids = [passage.chunk_id for passage in passages]
        codes = await self._index.token_codes(ids, len(asked.vector))
        return await rerank(self._embedder, asked, passages, codes)

    async def _asked(self, query: str) -> tuple[SearchQuery | None, XnaiError | None]:
        """The query's vectors, or the reason why there are none."""
        try:
            return await searching.of("embed", self._embedder.embed_question, query), None
        except XnaiError as error:
            log.warning("search.text_only", code=error.code)
            return None, error


def fuse(rankings: Sequence[Hits]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009), scaled to 0..1.

    Equal scores are ordered by the better single rank, then by the smaller chunk id.
    """
    scores: dict[int, float] = {}
    best: dict[int, int] = {}
    for hits in rankings:
        for rank, (chunk_id, _) in enumerate(hits, start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1 / (RANK_CONSTANT + rank)
            best[chunk_id] = min(rank, best.get(chunk_id, rank))
    highest = len(rankings) / (RANK_CONSTANT + 1)
    order = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], best[chunk_id], chunk_id))
    return [(chunk_id, scores[chunk_id] / highest) for chunk_id in order]
