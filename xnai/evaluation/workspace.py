"""A throw-away index with a library and a model, beside those of the server."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256
from pathlib import Path

import structlog

from xnai.answering.pipeline import Pipeline
from xnai.documents.chunking import Chunker
from xnai.documents.library import Library
from xnai.documents.reembed import settle
from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.evaluation.sets import EvalDocument
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import LanguageModel
from xnai.llm.remote.router import Router
from xnai.retrieval.cross_encoder import reranker
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import Embedded
from xnai.retrieval.search import HybridSearch
from xnai.retrieval.text_ranker import TextRanker
from xnai.settings import Settings
from xnai.types import Chunk, Document, Page, Scope

OWNER = "eval"
_BATCH = 64  # texts of a corpus that are embedded at once

Progress = Callable[[str, int, int], None]
log = structlog.get_logger(__name__)


class Workspace:
    """What one evaluation works with; ``names`` are the documents' ids in the set."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        own = settings.model_copy(update={"data_dir": folder, "documents_max": 1_000_000})
        self.settings = settings
        self.embedder = Embedders(settings)
        self._index = SqliteIndex(folder / "index.sqlite3", self.embedder.dimensions)
        search = HybridSearch(self._index, self.embedder, reranker(settings))
        self.library = Library(own, self._index, self.embedder, search)
        self.model: LanguageModel = (
            Router(settings) if settings.llm_url else LocalEngine(settings, EngineBuild(settings))
        )
        self.pipeline = Pipeline(self.library, self.model, ranker=TextRanker(self.embedder))
        self.names: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}

    async def start(self) -> None:
        """Open what searches; the model is started by ``load_model``."""
        await self.embedder.start()
        # Vectors of the model as it is at a first start differ a little, and figures with them.
        await self.embedder.settled()
        if await settle(self._index, self.embedder):
            raise XnaiError(SEARCH_DOWN, reason="the index kept is of another embedding model")
        await self.library.start()

    async def load_model(self, seconds: float) -> None:
        """Start the model and wait until it answers.

        Raises:
            XnaiError: it does not.

        """
        await self.model.start()
        await self.model.ensure_ready(time.monotonic() + seconds)

    async def close(self) -> None:
        """Stop everything."""
        await self.model.close()
        await self.library.close()
        await self.embedder.close()

    def scope(self, documents: Sequence[str] = ()) -> Scope:
        """The scope of documents by their names in the set; of all without any."""
        if not documents:
            return Scope(OWNER)
        ids = {name: document_id for document_id, name in self.names.items()}
        return Scope(OWNER, tuple(ids.get(name, name) for name in documents))

    async def fill(self, wanted: Sequence[EvalDocument], progress: Progress) -> None:
        """Put documents of a set into the index, unless an index that was kept has them.

        A file that cannot be read is noted in ``unreadable`` and the others go on.
        """
        for record in await self.library.documents(OWNER):
            if record.status == "processed":
                self.names[record.id] = record.file_name
        known = set(self.names.values())
        missing = [document for document in wanted if document.id not in known]
        texts = [document for document in missing if document.path is None]
        for start in range(0, len(texts), _BATCH):
            progress("documents", start, len(missing))
            await self._put_texts(texts[start : start + _BATCH])
        for done, document in enumerate((d for d in missing if d.path is not None), len(texts)):
            progress("documents", done, len(missing))
            await self._put_file(document)
        progress("documents", len(missing), len(missing))

    async def _put_texts(self, documents: Sequence[EvalDocument]) -> None:
        chunker = Chunker.from_file(self.embedder.tokenizer_path)
        pages = [Page(None, document.text) for document in documents]
        chunks: list[list[Chunk]] = []
        for page in pages:
            async with aclosing(chunker.chunks(page, markdown=False)) as steps:
                chunks.append([chunk async for step in steps for chunk in step])
        embedded = await self.embedder.embed_chunks([c.text for own in chunks for c in own])
        at = 0
        for document, page, own in zip(documents, pages, chunks, strict=True):
            record = _record(document, len(own))
            await asyncio.to_thread(_write, self.library.original(record), document.text)
            part = slice(at, at + len(own))
            of_own = Embedded(embedded.vectors[part], embedded.codes[part])
            await self._index.upsert(record, [page], own, of_own)
            self.names[record.id] = document.id
            at += len(own)

    async def _put_file(self, document: EvalDocument) -> None:
        """Read a file; it replaces none of the same name, for that lies in another folder."""
        assert document.path is not None
        try:
            kept = await self.library.add(OWNER, document.path.name, document.path)
            self.names[kept.id] = document.id
            async with aclosing(self.library.ingest(kept.id)) as events:
                async for _ in events:
                    pass
        except XnaiError as exc:
            log.warning("document left out", document=document.id, reason=exc.message)
            self.unreadable[document.id] = exc.message


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _record(document: EvalDocument, chunks: int) -> Document:
    return Document(
        id=sha256(document.id.encode()).hexdigest()[:32],
        owner=OWNER,
        file_name=document.id,
        media_type="text/plain",
        size=len(document.text),
        sha256="",
        created_at=time.time(),
        status="processed",
        page_count=1,
        chunk_count=chunks,
    )


@asynccontextmanager
async def workspace(settings: Settings, kept: Path | None) -> AsyncGenerator[Workspace, None]:
    """Open a workspace in a folder that is kept, or in one that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="xnai-eval-") as folder:
        made = Workspace(settings, kept or Path(folder))
        try:
            await made.start()
            yield made
        finally:
            await made.close()
