"""Gives documents what they lack, the index in service: another model's vectors, or codes."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from xnai.documents.ingest_stages import joined
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.protocol import NO_MODEL, ChunkTexts, Embedded, Embedder, ReembeddableIndex

Tell = Callable[[int, int], None]  # documents done, of how many
Alone = Callable[[], AbstractAsyncContextManager[None]]

_BATCH = 32  # chunks embedded at once

log = structlog.get_logger(__name__)


async def settle(index: ReembeddableIndex, embedders: Embedders) -> bool:
    """Open the index with the model its vectors are of; whether another one is to follow."""
    recorded = await index.start()
    wanted = await embedders.wanted()
    if recorded is None or recorded.model == wanted.model:
        await index.use(wanted)
        return False
    if recorded.model == NO_MODEL or not await embedders.serve_until_switched(recorded):
        await index.use(wanted, forget=recorded.model != NO_MODEL)
    return True


async def reembed(index: ReembeddableIndex, embedders: Embedders, alone: Alone, tell: Tell) -> None:
    """Make the vectors of the configured model and put them into service.

    What was made before a crash is kept. Inside ``alone()`` nobody ingests, so that no document
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
        async with alone():
            if await index.switch(by):
                await embedders.switch()
                log.info("documents embedded anew", model=by.model, documents=done)
                return


async def _embed(index: ReembeddableIndex, embedders: Embedders, document_id: str) -> None:
    found = await index.texts(document_id)
    if found is None:
        return
    await index.put_next(found, await _embedded(embedders.following or embedders, found))


async def complete(index: ReembeddableIndex, embedders: Embedders) -> None:
    """Make the codes of chunks that a former version of the program stored without."""
    waiting = await index.without_codes()
    for document_id in waiting:
        found = await index.texts(document_id)
        if found is not None:
            await index.put_codes(found, (await _embedded(embedders, found)).codes)
    if waiting:
        log.info("codes of tokens added", documents=len(waiting))


async def _embedded(embedder: Embedder, of: ChunkTexts) -> Embedded:
    parts = range(0, len(of.texts), _BATCH)
    return joined([await embedder.embed_chunks(of.texts[at : at + _BATCH]) for at in parts])
