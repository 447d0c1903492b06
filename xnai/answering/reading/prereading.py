"""Reads ahead while nobody asks, so that a question costs its own tokens only.

The engine keeps what it has read of a prompt, and what is read here on disk as well. What prompts
begin with is read as soon as a model is there, and the documents of a chat as soon as they are
processed, or the chat is opened again; a question that comes meanwhile has the machine for itself,
and the reading begins again when it is answered.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress

import structlog

from xnai.aio import cancel_and_wait
from xnai.answering.quoting import is_able
from xnai.answering.reading.files import MOST_FILES, by_file
from xnai.answering.reading.gather import WHOLE_TOKENS, Gatherer
from xnai.answering.reading.prompt import head, reading_messages
from xnai.answering.tables import writing
from xnai.documents.leftovers import Cache
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.errors import XnaiError
from xnai.llm.protocol import KEPT_HEAD, Completion, LanguageModel
from xnai.types import Document, Message, Sampling, Scope

WISHES = 16  # scopes that wait; of more the oldest are forgotten, for reading ahead is a favour
_LONGEST = 300.0  # seconds for one reading
_PAUSE = 2.0  # seconds between two looks at the model
_ONE_TOKEN = Sampling(max_tokens=1, temperature=0.0)

_log = structlog.get_logger(__name__)


class Prereader:
    """Has the model read what will be asked about, one thing at a time, until somebody asks.

    Args:
        library: whose documents.
        model: the model that answers.
        kept: what the model keeps on disk of them.

    """

    def __init__(self, library: DocumentLibrary, model: LanguageModel, kept: Cache) -> None:
        self._library = library
        self._kept = kept
        self._gatherer = Gatherer(library, TextWork())
        self._model = model
        self._wishes: dict[Scope, None] = {}
        self._wished = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._asking = 0
        self._reading: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._head_of = ("", 0.0)  # which loaded model has read what prompts begin with

    def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._run(), name="read-ahead")

    async def close(self) -> None:
        """Stop reading."""
        await cancel_and_wait(self._task)

    def processed(self, document: Document) -> None:
        """Have a new document read, with what else is asked about together with it."""
        if document.collection:
            self.wish(Scope(document.owner, collection=document.collection))
        else:
            self.wish(Scope(document.owner, (document.id,)))

    def wish(self, scope: Scope) -> None:
        """Have the documents of a scope read, the latest wish first."""
        self._wishes.pop(scope, None)
        self._wishes[scope] = None
        while len(self._wishes) > WISHES:
            del self._wishes[next(iter(self._wishes))]
        self._wished.set()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A block in which a question is answered: nothing is read ahead."""
        self._asking += 1
        self._idle.clear()
        if self._reading is not None:
            self._reading.cancel()
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._idle.set()

    async def _run(self) -> None:
        while True:
            await self._idle.wait()
            if not self._is_able():
                await asyncio.sleep(_PAUSE)
                continue
            if self._head_of != self._loaded():
                await self._one(None)
            elif self._wishes:
                await self._one(next(reversed(self._wishes)))
            else:
                self._wished.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE - time.monotonic() % _PAUSE):
                        await self._wished.wait()

    def _loaded(self) -> tuple[str, float]:
        """Which model is loaded, and since when: one that is loaded anew has read nothing."""
        status = self._model.status
        return status.name, status.since

    def _is_able(self) -> bool:
        status = self._model.status
        ready = status.state == "ready" and not status.idle and status.engine is not None
        return ready and is_able(self._model) and not status.waiting

    async def _one(self, scope: Scope | None) -> None:
        """Read one thing; if a question interrupts it, it stays to be read."""
        reading = self._reading = asyncio.create_task(self._read(scope))
        try:
            await asyncio.wait([reading])
        finally:  # closing it must not leave the reading behind
            self._reading = None
            await cancel_and_wait(reading)
        if reading.cancelled():
            return
        error = reading.exception()
        if error is not None:
            reason = error.code if isinstance(error, XnaiError) else type(error).__name__
            _log.info("not read ahead", reason=reason)
            await asyncio.sleep(_PAUSE)
        if scope is None:
            self._head_of = self._loaded()
        else:
            self._wishes.pop(scope, None)

    async def _read(self, scope: Scope | None) -> None:
        if scope is None:
            await self._prefill((*head(), Message("user", "Question:")), KEPT_HEAD)
            table = Message("user", "Here is another table.")
            await self._prefill((*writing.head(), table), f"{KEPT_HEAD}-tables")
            return
        sheet = await self._gatherer.whole(self._model, scope, WHOLE_TOKENS)
        if sheet is None or not sheet.lines:
            return
        # Questions over several files are put to each of them, most of the time.
        files = by_file(sheet)
        for one in files if len(files) <= MOST_FILES else ():
            text = sheet.text if len(files) == 1 else one.sheet.text
            document_id = one.sheet.lines[0].source.document_id
            try:
                await self._prefill(reading_messages(text, (), ""), document_id)
            finally:
                # It may have been deleted meanwhile, before what is kept of it was written.
                if await self._library.get(document_id) is None:
                    await asyncio.to_thread(self._kept.remove, document_id)

    async def _prefill(self, messages: tuple[Message, ...], keep: str) -> None:
        deadline = time.monotonic() + _LONGEST
        completion = Completion(
            "read-ahead", "read-ahead", messages, _ONE_TOKEN, deadline, keep=keep
        )
        async with aclosing(self._model.complete(completion)) as stream:
            async for _ in stream:
                pass
