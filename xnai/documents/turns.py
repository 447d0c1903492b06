"""Waiting for a turn: what ``fair_queue`` decides, for tasks and with a real clock."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import psutil  # type: ignore[import-untyped]

from xnai.documents.fair_queue import BatchQueue, Fits, ReadingQueue, ReadingTicket
from xnai.documents.media_types import CSV, MARKDOWN, TEXT
from xnai.observability.processes import held
from xnai.retrieval.embedding.cores import usable_cores
from xnai.retrieval.protocol import ChunkEmbedder, Embedded
from xnai.settings import Settings
from xnai.types import Document

BEYOND = 4  # documents that are read at most beyond one per core, see ReadingQueue
_AGAIN_SECONDS = 1.0  # between two looks whether there is memory by now
_MEGABYTE = 2**20
_BYTES_PER_SECOND = 50_000  # of a file, roughly
_PLAIN = {TEXT, MARKDOWN, CSV}
_PLAIN_MB = 256  # that reading a short text takes, beside the interpreter
_READER_MB = 512  # that reading anything else takes, as a rule
_BLOW_UP = 100  # bytes taken for one of the file


class Queue(Protocol):
    """What decides whose turn it is."""

    @property
    def running(self) -> list[ReadingTicket]:
        """Those that have their turn."""
        ...

    def add(self, ticket: ReadingTicket, now: float) -> None:
        """Take a wish."""
        ...

    def remove(self, ticket: ReadingTicket, now: float) -> None:
        """End a turn, or the wait for it."""
        ...

    def begin(self, now: float, fits: Fits) -> list[ReadingTicket]:
        """Those whose turn it is from now on."""
        ...


class Turns:
    """Has tasks wait for their turn; who is cancelled leaves the queue at once.

    Args:
        queue: what decides.
        fits: whether there is room for one more; asked again each second while there is none.

    """

    def __init__(self, queue: Queue, fits: Fits = lambda _: True) -> None:
        self._queue = queue
        self._fits = fits
        self._waiting: dict[ReadingTicket, asyncio.Future[None]] = {}
        self._again: asyncio.TimerHandle | None = None
        self._holds = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def running(self) -> list[ReadingTicket]:
        """Those that have their turn."""
        return self._queue.running

    @asynccontextmanager
    async def turn(self, ticket: ReadingTicket) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it inside the block."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = turn
        self._queue.add(ticket, time.monotonic())
        try:
            self._advance()
            await turn
            yield
        finally:
            self._waiting.pop(ticket, None)
            self._queue.remove(ticket, time.monotonic())
            if not self._queue.running:
                self._empty.set()
            self._advance()

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[None, None]:
        """Let those under way come to their end, and nobody begin inside the block."""
        self._holds += 1
        try:
            await self._empty.wait()
            yield
        finally:
            self._holds -= 1
            self._advance()

    def _advance(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._holds or not self._waiting:
            return
        lacking = False

        def fits(ticket: ReadingTicket) -> bool:
            nonlocal lacking
            does = self._fits(ticket)
            lacking |= not does
            return does

        for ticket in self._queue.begin(time.monotonic(), fits):
            self._empty.clear()
            turn = self._waiting.pop(ticket)
            if not turn.done():  # whoever was cancelled just now leaves by itself
                turn.set_result(None)
        if lacking:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(_AGAIN_SECONDS, self._advance)


class Readers:
    """Turns to read a document, of which there are several at once as memory allows.

    Args:
        settings: how much memory a parser may use.
        available: bytes that can be taken without swapping.

    """

    def __init__(self, settings: Settings, available: Callable[[], int] | None = None) -> None:
        self._most_mb = settings.parse_memory_mb
        self._available = available or _available
        cores = usable_cores()
        self._turns = Turns(ReadingQueue(cores, cores + BEYOND), self._fits)

    @asynccontextmanager
    async def turn(self, document: Document) -> AsyncGenerator[None, None]:
        """Wait until a document may be read, and read it inside the block."""
        expected = document.size / _BYTES_PER_SECOND
        memory = self._memory(document) * _MEGABYTE
        ticket = ReadingTicket(document.owner, document.id, expected, memory)
        async with self._turns.turn(ticket):
            yield

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[None, None]:
        """Let what is being read be read, and nothing else inside the block."""
        async with self._turns.hold():
            yield

    def _memory(self, document: Document) -> int:
        """Megabytes that a reader is expected to take; not what it may take."""
        if document.media_type in _PLAIN and document.size <= _MEGABYTE:
            return min(self._most_mb, _PLAIN_MB)
        return min(self._most_mb, _READER_MB + _BLOW_UP * document.size // _MEGABYTE)

    def _fits(self, ticket: ReadingTicket) -> bool:
        """Whether memory is left when all have what they are expected to take.

        To somebody's second document one more of the kind is added, so that there is room for
        another person's first.
        """
        running = self._turns.running
        to_come = max(0, sum(other.memory for other in running) - held("parser"))
        is_second = any(other.owner == ticket.owner for other in running)
        return to_come + ticket.memory * (1 + is_second) <= self._available()


class SharedEmbedder:
    """One embedder for all documents that are being read: small batches, each in its turn."""

    def __init__(self, embedder: ChunkEmbedder, batch: int) -> None:
        self._embedder = embedder
        self._turns = Turns(BatchQueue(batches_at_once(usable_cores(), batch)))

    def of(self, document: Document) -> "DocumentEmbedder":
        """The embedder as one document has it."""
        return DocumentEmbedder(self._embedder, self._turns, document)


class DocumentEmbedder:
    """Embeds the chunks of one document when it is its turn."""

    def __init__(self, embedder: ChunkEmbedder, turns: Turns, document: Document) -> None:
        self._embedder = embedder
        self._turns = turns
        self._document = document

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """See ``Embedder.embed_chunks``."""
        async with self._turns.turn(ReadingTicket(self._document.owner, self._document.id)):
            return await self._embedder.embed_chunks(texts)


def batches_at_once(cores: int, batch: int) -> int:
    """How many keep all cores at work: one is handed over while the others are worked on."""
    return 1 + -(-2 * cores // batch)


def _available() -> int:
    return int(psutil.virtual_memory().available)
