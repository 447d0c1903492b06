"""Turns a document's file into chunks with vectors: parse, chunk and embed, overlapping."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np

from xnai.documents.chunk import Chunker
from xnai.documents.parse import Reading
from xnai.documents.protocol import IngestProgress, IngestStage
from xnai.retrieval.protocol import Embedder, Vectors
from xnai.telemetry.stages import Laps
from xnai.types import Chunk, Page

BATCH = 32  # chunks embedded at once
_BATCHES_AHEAD = 4  # chunked while others are embedded
_INTERVAL = 0.1  # seconds between two events of one stage

Listener = Callable[[IngestProgress], None]


@dataclass(slots=True)
class Progress:
    """Passes progress on, at most ten times a second for each stage."""

    listener: Listener
    _last: dict[IngestStage, float] = field(default_factory=dict)

    def tell(self, stage: IngestStage, done: int, total: int) -> None:
        """Report; the last of a known total is never dropped."""
        now = time.monotonic()
        if now - self._last.get(stage, 0.0) >= _INTERVAL or done == total:
            self._last[stage] = now
            self.listener(IngestProgress(stage, done, total))


@dataclass(slots=True)
class Digest:
    """What was read: vectors belong to chunks in their order."""

    pages: list[Page] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    complete: bool = False  # all pages were read and chunked
    seconds: dict[str, float] = field(default_factory=dict)  # of parse, chunk and embed

    def stacked(self, dimensions: int) -> Vectors:
        """All vectors, shape (chunks, dimensions)."""
        if not self.vectors:
            return np.zeros((0, dimensions), dtype=np.float32)
        return np.concatenate(self.vectors)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception of a task group that failed; the others follow from it."""
    first = group.exceptions[0]
    return _cause(first) if isinstance(first, BaseExceptionGroup) else first


async def digest(
    reading: Reading, chunker: Chunker, embedder: Embedder, progress: Progress, *, markdown: bool
) -> Digest:
    """Read a document into chunks and vectors; embedding begins with the first pages.

    Raises:
        XnaiError: as ``Reading.pages``, and what the embedder raises.

    """
    result = Digest()
    batches: asyncio.Queue[list[Chunk] | None] = asyncio.Queue(_BATCHES_AHEAD)

    async def read() -> None:
        waiting: list[Chunk] = []
        laps = Laps(result.seconds)
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                laps.lap("parse")
                result.pages.append(page)
                progress.tell("parsing", len(result.pages), reading.total)
                async with aclosing(chunker.chunks(page, markdown=markdown)) as steps:
                    async for chunks in steps:
                        result.chunks += chunks
                        waiting += chunks
                        progress.tell("chunking", len(result.chunks), 0)
                        laps.lap("chunk")
                        while len(waiting) >= BATCH:
                            await batches.put(waiting[:BATCH])
                            del waiting[:BATCH]
                        laps.lap("")  # the wait for the embedder
        laps.lap("parse")
        result.complete = True
        progress.tell("parsing", len(result.pages), len(result.pages))
        progress.tell("chunking", len(result.chunks), len(result.chunks))
        if waiting:
            await batches.put(waiting)
        await batches.put(None)

    async def embed() -> None:
        done = 0
        laps = Laps(result.seconds)
        while (batch := await batches.get()) is not None:
            laps.lap("")
            result.vectors.append(await embedder.embed([chunk.text for chunk in batch]))
            laps.lap("embed")
            done += len(batch)
            progress.tell("embedding", done, len(result.chunks) if result.complete else 0)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(), name="read")
            group.create_task(embed(), name="embed")
    except BaseExceptionGroup as failed:
        raise _cause(failed) from failed
    return result
