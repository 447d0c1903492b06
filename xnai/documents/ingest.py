"""Reads one document: from the file kept to its record, chunks and vectors in the index.

    uploaded   -> processing   its turn has come
    processing -> processed    text, vectors and record are committed as one
               -> error        it cannot be read; the record says why
               -> uploaded     it was interrupted: the next start reads it again
    any        -> missing      its file is gone (upkeep.py)
    missing    -> processed    the file is there again, and the text was never gone
               -> uploaded     the file is there again, and was not read before

Nothing stays ``processing``: whatever ends a reading changes that, a crash at the next start.
"""

import asyncio
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import structlog

from xnai.aio import uninterrupted
from xnai.documents.chunking import Chunker
from xnai.documents.ingest_stages import BATCH, Digest, StageProgress, digest
from xnai.documents.media_types import NOT_MARKDOWN
from xnai.documents.parsers.client import ParserRun
from xnai.documents.parsers.process import Limits
from xnai.documents.protocol import IngestProgress, TokenizingEmbedder
from xnai.documents.storage import OriginalFiles
from xnai.documents.turns import SharedEmbedder
from xnai.documents.unrecorded import failed
from xnai.errors import FILE_NO_TEXT, INTERNAL, SHUTTING_DOWN, XnaiError
from xnai.observability import metrics
from xnai.observability.health import Part
from xnai.observability.stages import Laps
from xnai.retrieval.embedding.cores import usable_cores, yield_to_others
from xnai.retrieval.protocol import Index
from xnai.settings import Settings
from xnai.types import Document

_log = structlog.get_logger(__name__)


class Processor:
    """Keeps the record true to what becomes of a document; several at once, see ``Readers``."""

    def __init__(
        self,
        settings: Settings,
        index: Index,
        embedder: TokenizingEmbedder,
        files: OriginalFiles,
        parser: Part | None = None,
    ) -> None:
        self._settings = settings
        self._index = index
        self._embedder = embedder
        self._files = files
        self._shared = SharedEmbedder(embedder, BATCH)
        self._parser = parser or Part("parser")
        self._chunkers: dict[Path, Chunker] = {}
        self._cutting = ThreadPoolExecutor(usable_cores(), "chunk", initializer=yield_to_others)

    async def close(self) -> None:
        """End the threads; nothing is being read any more."""
        await asyncio.to_thread(self._cutting.shutdown)

    async def process(self, record: Document, tell: Callable[[IngestProgress], None]) -> Document:
        """Read a document that is not processed and return its new record.

        Raises:
            XnaiError: why it cannot be read, as the record says then.

        """
        document = replace(
            record, status="processing", error_code="", error_message="", error_hint=""
        )
        try:
            await uninterrupted(self._index.put_document(document))
            return await self._read(document, tell)
        except asyncio.CancelledError:
            await self._interrupted(document)
            raise
        except XnaiError as exc:
            if exc.kind is SHUTTING_DOWN:
                await self._interrupted(document)
                raise
            failure = exc
            self._note(failure)
        except Exception as exc:  # noqa: BLE001 - nothing may be left as "processing"
            failure = self._unexpected(document, exc)
        metrics.document("error")
        await self._index.put_document(failed(document, failure))
        raise failure

    async def _chunker(self) -> Chunker:
        """The one that counts as the embedder in service does, which may be exchanged."""
        path = self._embedder.tokenizer_path
        if path not in self._chunkers:
            made = await asyncio.to_thread(Chunker.from_file, path, self._cutting)
            self._chunkers = {path: made}
        return self._chunkers[path]

    async def _digest(
        self, document: Document, progress: StageProgress
    ) -> tuple[ParserRun, Digest]:
        """Read a document, once more if its reader was killed: that may be another file's doing."""
        chunker, settings = await self._chunker(), self._settings
        markdown = document.media_type not in NOT_MARKDOWN
        for readings_left in (1, 0):
            reading = ParserRun(
                self._files.path(document.id),
                document.media_type,
                document.file_name,
                settings.document_max_characters,
                Limits(settings.parse_timeout, settings.parse_memory_mb),
            )
            embedder = self._shared.of(document)
            try:
                read = await digest(reading, chunker, embedder, progress, markdown=markdown)
            except XnaiError:
                if not (reading.was_killed and readings_left):
                    raise
                progress.gauge.begin_again()
            else:
                break
        return reading, read

    async def _read(self, document: Document, tell: Callable[[IngestProgress], None]) -> Document:
        began = time.monotonic()
        progress = StageProgress(tell)
        reading, read = await self._digest(document, progress)
        self._parser.become("ready")
        if not read.chunks:
            raise XnaiError(FILE_NO_TEXT, name=document.file_name)
        tell(progress.event("storing", 0, len(read.chunks)))
        processed = replace(
            document,
            status="processed",
            page_count=len(read.pages),
            chunk_count=len(read.chunks),
            notes=reading.notes,
            report=reading.report,
        )
        embedded = await asyncio.to_thread(read.embedded)
        laps = Laps(read.seconds)
        await uninterrupted(self._index.upsert(processed, read.pages, read.chunks, embedded))
        laps.lap("write")
        seconds = time.monotonic() - began
        metrics.document("processed")
        metrics.pages.inc(processed.page_count)
        metrics.chunks.inc(processed.chunk_count)
        metrics.ingest_seconds.observe(seconds)
        for stage, spent in read.seconds.items():
            metrics.ingest_stage_seconds.observe(spent, stage)
        _log.info(
            "document_processed",
            document_id=document.id,
            media_type=document.media_type,
            pages=processed.page_count,
            chunks=processed.chunk_count,
            seconds=round(seconds, 2),
        )
        return processed

    def _note(self, failure: XnaiError) -> None:
        """Tell the parser's health: an error of the file says that its reader works."""
        if failure.kind is INTERNAL:
            self._parser.become("down", failure.message, failure)
        elif failure.code.startswith("file_"):
            self._parser.become("ready")
            self._parser.failed(failure)

    async def _interrupted(self, document: Document) -> None:
        current = await self._index.get(document.id)
        if current is not None and current.status != "processed":
            await uninterrupted(self._index.put_document(replace(document, status="uploaded")))

    def _unexpected(self, document: Document, exc: Exception) -> XnaiError:
        # Neither message nor variables: they may hold the document's text.
        where = traceback.extract_tb(exc.__traceback__)[-1]
        _log.error(
            "document_ingest_failed",
            document_id=document.id,
            exception=type(exc).__name__,
            where=f"{where.filename}:{where.lineno}",
        )
        return XnaiError(INTERNAL)
