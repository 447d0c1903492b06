"""The embedder and the index behind breakers, as far as questions need them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

import structlog

from xnai.errors import SEARCH_DOWN, SEARCH_PAUSED, XnaiError
from xnai.resilience import Breaker, CircuitOpenError
from xnai.retrieval.protocol import Embedder, Index, SearchQuery, TokenVectors, Vectors
from xnai.types import Passage, Scope

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)


async def guarded(
    breaker: Breaker,
    part: str,
    function: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a part of the search.

    Raises:
        XnaiError: SEARCH_PAUSED, or what the part raises.

    """
    try:
        return await breaker.call(function, *args, **kwargs)
    except CircuitOpenError as exc:
        raise XnaiError(
            SEARCH_PAUSED, retry_after=exc.retry_after, part=part, reason=exc.reason
        ) from exc
    except XnaiError:
        raise
    except Exception as exc:
        log.exception("search_failed", part=part)
        raise XnaiError(SEARCH_DOWN, reason=f"the {part} has failed") from exc


class GuardedEmbedder:
    """Implements ``QuestionEmbedder`` and ``LineEmbedder``."""

    def __init__(self, embedder: Embedder, breaker: Breaker) -> None:
        self._embedder = embedder
        self._breaker = breaker

    async def embed_question(self, text: str) -> SearchQuery:
        """A question's vector and those of its tokens."""
        return await guarded(self._breaker, "embedding model", self._embedder.embed_question, text)

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of each chunk."""
        return await guarded(self._breaker, "embedding model", self._embedder.embed_tokens, texts)

    async def embed_lines(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts that a question is compared with."""
        return await guarded(self._breaker, "embedding model", self._embedder.embed_lines, texts)


class GuardedSearch:
    """The searches of an ``Index``; what is written goes past the breaker."""

    def __init__(self, index: Index, breaker: Breaker) -> None:
        self._index = index
        self._breaker = breaker

    async def search_vectors(
        self, vector: Vectors, scope: Scope, limit: int
    ) -> list[tuple[int, float]]:
        """Nearest chunks by cosine similarity."""
        search = self._index.search_vectors
        return await guarded(self._breaker, "document index", search, vector, scope, limit)

    async def search_text(self, query: str, scope: Scope, limit: int) -> list[tuple[int, float]]:
        """Best chunks by BM25."""
        search = self._index.search_text
        return await guarded(self._breaker, "document index", search, query, scope, limit)

    async def passages(self, hits: Sequence[tuple[int, float]]) -> list[Passage]:
        """The chunks of the given hits."""
        return await guarded(self._breaker, "document index", self._index.passages, hits)

    async def token_codes(self, chunk_ids: Sequence[int], dimensions: int) -> Mapping[int, bytes]:
        """The codes of the chunks' tokens."""
        read = self._index.token_codes
        return await guarded(self._breaker, "document index", read, chunk_ids, dimensions)

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
        read = self._index.page_text
        return await guarded(self._breaker, "document index", read, document_id, page)
