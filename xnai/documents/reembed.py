"""Embeds all documents anew after the embedding model was changed, the old index in service."""

import asyncio
from collections.abc import Callable

import numpy as np
import structlog

from xnai.documents.ingest import BATCH
from xnai.retrieval.embedders import Embedders
from xnai.retrieval.reembedding import NO_MODEL
from xnai.retrieval.sqlite_index import SqliteIndex

Tell = Callable[[int, int], None]  # documents done, of how many

log = structlog.get_logger(__name__)


async def settle(index: SqliteIndex, embedders: Embedders) -> bool:
    """Open the index with the model its vectors are of; whether another one is to follow."""
    recorded = await index.start()
    wanted = await embedders.wanted()
    if recorded is None or recorded.model == wanted.model:
        await index.use(wanted)
        return False
    if recorded.model == NO_MODEL or not await embedders.serve_until_switched(recorded):
        await index.use(wanted, forget=recorded.model != NO_MODEL)
    return True


async def reembed(
    index: SqliteIndex, embedders: Embedders, turn: asyncio.Semaphore, tell: Tell
) -> None:
    """Make the vectors of the configured model and put them into service.

    What was made before a crash is kept. ``turn`` is held by whoever ingests, so that no document
    is added with the old model while the new one takes over.
    """
    by = await embedders.wanted()
    done = 0
    while True:
        waiting = await index.begin_reembedding(by)
        total = done + len(waiting)
        for document_id in waiting:
            tell(done, total)
            await _embed(index, embedders, document_id)
            done += 1
        async with turn:
            if await index.switch(by):
                await embedders.switch()
                log.info("documents embedded anew", model=by.model, documents=done)
                return


async def _embed(index: SqliteIndex, embedders: Embedders, document_id: str) -> None:
    found = await index.texts(document_id)
    if found is None:
        return
    embedder = embedders.following or embedders
    parts = [
        await embedder.embed(found.texts[start : start + BATCH])
        for start in range(0, len(found.texts), BATCH)
    ]
    await index.put_next(found, np.concatenate(parts))
