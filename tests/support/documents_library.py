"""A library on a real index, with an embedder that does what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from xnai.accounts.sqlite.conversations import SqliteConversations
from xnai.documents.library import Library
from xnai.documents.protocol import IngestProgress
from xnai.documents.unrecorded import Whose
from xnai.llm.engine.prefix_files import PrefixFiles
from xnai.retrieval.binary_codes import encode
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import Embedded, SearchQuery, TokenVectors, Vectors
from xnai.retrieval.search import HybridSearch
from xnai.settings import Settings

DIMENSIONS = 8


class GatedEmbedder:
    """Counts letters instead of meaning; waits while its gate is shut."""

    def __init__(self, folder: Path) -> None:
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        self.tokenizer_path = folder / "tokenizer.json"
        tokenizer.save(str(self.tokenizer_path))
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.batches: list[int] = []
        self.failure: Exception | None = None
        self.running = self.most_running = 0

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return [TokenVectors(row[None], np.zeros(1, np.int32)) for row in await self._embed(texts)]

    async def embed_question(self, text: str) -> SearchQuery:
        (tokens,) = await self.embed_tokens([text])
        return SearchQuery(tokens.vectors[0], tokens)

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        found = await self.embed_tokens(texts)
        rows = np.concatenate([tokens.vectors for tokens in found])
        return Embedded(rows, tuple(encode(tokens) for tokens in found))

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self.reached.set()
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if self.failure:
            raise self.failure
        counts = [[1 + text.count("abcdefgh"[i]) for i in range(DIMENSIONS)] for text in texts]
        rows = np.array(counts, dtype=np.float32).reshape(len(texts), DIMENSIONS)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@asynccontextmanager
async def opened(
    folder: Path, embedder: GatedEmbedder, whose: Whose | None = None, **settings: Any
) -> AsyncIterator[tuple[Library, SqliteIndex]]:
    """A started library over a data folder, closed afterwards."""
    index = SqliteIndex(folder / "index.sqlite3", DIMENSIONS)
    await index.start()
    search = HybridSearch(index, embedder)
    configured = Settings(data_dir=folder, **settings)
    conversations = SqliteConversations(folder)
    prefixes = PrefixFiles(configured.data_dir, configured.prefix_cache_mb)
    library = Library(
        configured,
        index,
        embedder,
        search,
        whose=whose,
        conversations=conversations,
        caches=[prefixes],
    )
    await library.start()
    try:
        yield library, index
    finally:
        await library.close()


async def followed(library: Library, document_id: str) -> list[IngestProgress]:
    """All events of an ingest."""
    async with aclosing(library.ingest(document_id)) as events:
        return [event async for event in events]
