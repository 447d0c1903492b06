"""Turns a document's file into chunks with vectors: parse, chunk and embed, overlapping."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np

from xnai.documents.chunking import Chunker
from xnai.documents.parsers.client import ParserRun
from xnai.documents.progress import ReadingGauge
from xnai.documents.protocol import IngestProgress, IngestStage
from xnai.observability.stages import Laps
from xnai.retrieval.protocol import ChunkEmbedder, Embedded
from xnai.types import Chunk, Page

BATCH = 8  # chunks embedded at once; what a short document waits for among long ones
_BATCHES_AHEAD = 16  # begun while one is waited for
_INTERVAL = 0.1  # seconds between two events of one stage

Listener = Callable[[IngestProgress], None]


@dataclass(slots=True)
class StageProgress:
    """Passes progress on, at most ten times a second for each stage."""

    listener: Listener
    gauge: ReadingGauge = field(default_factory=ReadingGauge)
    _last: dict[IngestStage, float] = field(default_factory=dict)

    def tell(self, stage: IngestStage, done: int, total: int) -> None:
        """Report; the last of a known total is never dropped."""
        now = time.monotonic()
        if now - self._last.get(stage, 0.0) >= _INTERVAL or done == total:
            self._last[stage] = now
            self.listener(self.event(stage, done, total))

    def event(self, stage: IngestStage, done: int, total: int) -> IngestProgress:
        """Return what is told, with how far all of it is."""
        gauge = self.gauge
        return IngestProgress(
            stage, done, total, None, gauge.share(), gauge.began, gauge.page_count
        )


@dataclass(slots=True)
class Digest:
    """What was read: ``parts`` are of the chunks in their order."""

    pages: list[Page] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    parts: list[Embedded] = field(default_factory=list)
    complete: bool = False  # all pages were read and chunked
    seconds: dict[str, float] = field(default_factory=dict)  # of parse, chunk and embed

    def embedded(self) -> Embedded:
        """The vectors and codes of all chunks, of which there is at least one."""
        return joined(self.parts)


def joined(parts: Sequence[Embedded]) -> Embedded:
    """Parts of a document, at least one, as a whole."""
    return Embedded(
        np.concatenate([part.vectors for part in parts]),
        tuple(codes for part in parts for codes in part.codes),
    )


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception of a task group that failed; the others follow from it."""
    first = group.exceptions[0]
    return _cause(first) if isinstance(first, BaseExceptionGroup) else first


async def digest(
    reading: ParserRun,
    chunker: Chunker,
    embedder: ChunkEmbedder,
    progress: StageProgress,
    *,
    markdown: bool,
) -> Digest:
    """Read a document into chunks and vectors; embedding begins with the first pages.

    Raises:
        XnaiError: as ``ParserRun.pages``, and what the embedder raises.

    """
    work = _Digesting(embedder, progress)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work.read(group, reading, chunker, markdown=markdown), name="read")
            group.create_task(work.embed(), name="embed")
    except BaseExceptionGroup as failed:
        raise _cause(failed) from failed
    return work.result


class _Digesting:
    """The two sides of a document's way: one reads and chunks, one waits for the vectors."""

    def __init__(self, embedder: ChunkEmbedder, progress: StageProgress) -> None:
        self.result = Digest()
        progress.gauge.seconds = self.result.seconds
        self._embedder = embedder
        self._progress = progress
        # Several are with the embedder, so that no core waits for the last text of one.
        self._batches: asyncio.Queue[tuple[int, asyncio.Task[Embedded]] | None]
        self._batches = asyncio.Queue(_BATCHES_AHEAD)

    async def read(
        self, group: asyncio.TaskGroup, reading: ParserRun, chunker: Chunker, *, markdown: bool
    ) -> None:
        """Read pages and cut them into chunks, which go to the embedder by the batch."""
        result, progress, gauge = self.result, self._progress, self._progress.gauge
        reading.tell_total = self._tell_total
        waiting: list[Chunk] = []
        laps = Laps(result.seconds)
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                laps.lap("parse")
                result.pages.append(page)
                if page.number is None:
                    gauge.total = 1  # the whole of a document without pages
                progress.tell("parsing", len(result.pages), reading.total)
                async with aclosing(chunker.chunks(page, markdown=markdown)) as steps:
                    async for chunks in steps:
                        result.chunks += chunks
                        waiting += chunks
                        gauge.chunks = len(result.chunks)
                        gauge.inside = chunks[-1].end / len(page.text) if chunks else gauge.inside
                        progress.tell("chunking", len(result.chunks), 0)
                        laps.lap("chunk")
                        while len(waiting) >= BATCH:
                            await self._begin(group, waiting[:BATCH])
                            del waiting[:BATCH]
                        laps.lap("")  # the wait for the embedder
                gauge.pages, gauge.inside = len(result.pages), 0.0
        laps.lap("parse")
        result.complete = gauge.complete = True
        progress.tell("parsing", len(result.pages), len(result.pages))
        progress.tell("chunking", len(result.chunks), len(result.chunks))
        if waiting:
            await self._begin(group, waiting)
        await self._batches.put(None)

    async def embed(self) -> None:
        """Take the vectors of the batches in their order."""
        result, done = self.result, 0
        laps = Laps(result.seconds)
        while (batch := await self._batches.get()) is not None:
            laps.lap("")
            count, embedding = batch
            result.parts.append(await embedding)
            laps.lap("embed")
            done += count
            self._progress.gauge.embedded = done
            self._progress.tell("embedding", done, len(result.chunks) if result.complete else 0)

    def _tell_total(self, total: int) -> None:
        self._progress.gauge.total = total
        self._progress.tell("parsing", len(self.result.pages), total)

    async def _begin(self, group: asyncio.TaskGroup, batch: Sequence[Chunk]) -> None:
        embedding = group.create_task(self._embedder.embed_chunks([chunk.text for chunk in batch]))
        await self._batches.put((len(batch), embedding))
