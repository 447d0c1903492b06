"""Turns a document's file into chunks with vectors: parse, chunk and embed, overlapping."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np

from xnai.documents.chunk import Chunker
from xnai.documents.parse import Reading
from xnai.documents.protocol import IngestProgress, IngestStage
from xnai.retrieval.protocol import Embedded, Embedder
from xnai.telemetry.stages import Laps
from xnai.types import Chunk, Page

BATCH = 32  # chunks embedded at once
_BATCHES_AHEAD = 4  # begun while one is waited for
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
    reading: Reading, chunker: Chunker, embedder: Embedder, progress: Progress, *, markdown: bool
) -> Digest:
    """Read a document into chunks and vectors; embedding begins with the first pages.

    Raises:
        XnaiError: as ``Reading.pages``, and what the embedder raises.

    """
    result = Digest()
    # Several are with the embedder, so that no core waits for the last text of one.
    batches: asyncio.Queue[tuple[int, asyncio.Task[Embedded]] | None]
    batches = asyncio.Queue(_BATCHES_AHEAD)

    async def begin(group: asyncio.TaskGroup, batch: Sequence[Chunk]) -> None:
        embedding = group.create_task(embedder.embed_chunks([chunk.text for chunk in batch]))
        await batches.put((len(batch), embedding))

    async def read(group: asyncio.TaskGroup) -> None:
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
                            await begin(group, waiting[:BATCH])
                            del waiting[:BATCH]
                        laps.lap("")  # the wait for the embedder
        laps.lap("parse")
        result.complete = True
        progress.tell("parsing", len(result.pages), len(result.pages))
        progress.tell("chunking", len(result.chunks), len(result.chunks))
        if waiting:
            await begin(group, waiting)
        await batches.put(None)

    async def embed() -> None:
        done = 0
        laps = Laps(result.seconds)
        while (batch := await batches.get()) is not None:
            laps.lap("")
            count, embedding = batch
            result.parts.append(await embedding)
            laps.lap("embed")
            done += count
            progress.tell("embedding", done, len(result.chunks) if result.complete else 0)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(group), name="read")
            group.create_task(embed(), name="embed")
    except BaseExceptionGroup as failed:
        raise _cause(failed) from failed
    return result
