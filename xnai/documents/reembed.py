"""Gives documents what they lack, the index in service: another model's vectors, or codes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import structlog

from xnai.aio import cancel_and_wait
from xnai.documents.ingest_stages import joined
from xnai.errors import INTERNAL, XnaiError
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.protocol import NO_MODEL, ChunkEmbedder, ChunkTexts, Embedded, ReembeddableIndex
from xnai.retrieval.state import SearchState

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


async def _embedded(embedder: ChunkEmbedder, of: ChunkTexts) -> Embedded:
    parts = range(0, len(of.texts), _BATCH)
    return joined([await embedder.embed_chunks(of.texts[at : at + _BATCH]) for at in parts])


class Renewal:
    """Does all of this in the background of a server, again whenever a model has come.

    Args:
        index: whose documents they are.
        embedders: the model in service and the configured one.
        alone: see ``reembed``.
        state: told how far it is, and what it failed of.

    """

    def __init__(
        self, index: ReembeddableIndex, embedders: Embedders, alone: Alone, state: SearchState
    ) -> None:
        self._index = index
        self._embedders = embedders
        self._alone = alone
        self._state = state
        self._has_come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def settle(self) -> bool:
        """See ``settle``."""
        return await settle(self._index, self._embedders)

    def begin(self, *, is_changing: bool) -> None:
        """Begin; ``is_changing`` is what ``settle`` has returned."""
        self._task = asyncio.create_task(self._run(is_changing), name="reembed")

    def model_has_come(self) -> None:
        """Let the configured model take over if it is another one now."""
        self._has_come.set()

    async def close(self) -> None:
        """End what runs; it goes on at the next start."""
        await cancel_and_wait(self._task)

    async def _run(self, is_changing: bool) -> None:
        await self._telling(self._renew(is_changing))
        while True:
            await self._has_come.wait()
            self._has_come.clear()
            await self._telling(self._follow())

    async def _renew(self, is_changing: bool) -> None:
        """Give documents the vectors of another model, and codes where they have none yet."""
        if is_changing:
            await self._reembed()
        await complete(self._index, self._embedders)
        await self._index.add_checksums()

    async def _follow(self) -> None:
        if await self._embedders.follow():
            await self._reembed()

    async def _reembed(self) -> None:
        def tell(done: int, total: int) -> None:
            self._state.detail = f"Embedding the documents anew: {done} of {total}"

        await reembed(self._index, self._embedders, self._alone, tell)

    async def _telling(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as exc:
            log.exception("documents could not be embedded anew")
            told = exc if isinstance(exc, XnaiError) else XnaiError(INTERNAL)
            self._state.detail = (
                f"The documents could not be embedded anew: {told.message} ({told.code})"
            )
        else:
            self._state.detail = ""
