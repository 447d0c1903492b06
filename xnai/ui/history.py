"""Chainlit's data layer on SQLite: conversations outlive a refresh, a crash and a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import apsw
import structlog
from chainlit.config import config
from chainlit.context import ChainlitContextException, context
from chainlit.data.base import BaseDataLayer
from chainlit.session import WebsocketSession
from chainlit.types import PageInfo, PaginatedResponse
from chainlit.user import PersistedUser

from xnai.errors import HISTORY_DOWN, SHUTTING_DOWN, XnaiError
from xnai.retrieval.transactions import disk_full, is_full, reason_of
from xnai.telemetry import metrics
from xnai.ui.auth import acting_user
from xnai.ui.history_rows import now
from xnai.ui.history_store import HistoryStore
from xnai.ui.history_threads import ThreadQuery

log = structlog.get_logger(__name__)

FILE_NAME = "history.sqlite3"
PAGE_LIMIT = 200  # threads in one answer
HELD_LIMIT = 500  # writes kept for a thread that nobody has spoken in
KEPT_WITHOUT_URL = frozenset({"custom", "file", "pdf", "image", "audio", "video"})

T = TypeVar("T")
Job = Callable[[HistoryStore], T]
ThreadDeleted = Callable[[str], Awaitable[None]]


class SqliteHistory(BaseDataLayer):  # type: ignore[misc]
    """Keeps threads in ``<data_dir>/history.sqlite3``.

    One worker thread does all the work in the order in which it was asked for, so an update never
    overtakes the insert before it. Until the first message Chainlit's session is not a thread:
    its writes are held back and follow the thread, in their order.

    ``problem`` says in words why the last work failed, and is empty as long as all goes well.

    Args:
        data_dir: where the file is.
        on_thread_deleted: called with the id of a thread before it is deleted; what it raises
            leaves the thread where it is, so that it can be deleted again.
        recover: no other server uses the folder, so what is open was left by one that was killed.

    """

    def __init__(
        self, data_dir: Path, on_thread_deleted: ThreadDeleted, *, recover: bool = False
    ) -> None:
        self._path = data_dir / FILE_NAME
        self._on_thread_deleted = on_thread_deleted
        self._recover = recover
        self._store: HistoryStore | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._held: WeakKeyDictionary[Any, list[Job[None]]] = WeakKeyDictionary()
        self.problem = ""

    def install(self) -> None:
        """Make this Chainlit's data layer; call it before the server starts."""
        config.code.data_layer = lambda: self

    async def check(self) -> str:
        """Have the turn to write, and write nothing; returns words for people.

        Raises:
            XnaiError: DISK_FULL, HISTORY_DOWN.

        """
        await self._run(lambda store: store.check())
        return ""

    async def get_user(self, identifier: str) -> Any:
        """See ``BaseDataLayer``."""
        row = await self._run(lambda store: store.threads.user(identifier))
        return PersistedUser(**row) if row else None

    async def create_user(self, user: Any) -> Any:
        """See ``BaseDataLayer``."""
        row = await self._run(
            lambda store: store.threads.put_user(user.identifier, user.metadata or {})
        )
        return PersistedUser(**row)

    async def upsert_feedback(self, feedback: Any) -> str:
        """See ``BaseDataLayer``; raises ``XnaiError`` for a message that is not the user's."""
        actor, comment = _actor(), (feedback.comment or "")[:10_000]
        return await self._run(
            lambda store: store.steps.put_feedback(actor, feedback.forId, feedback.value, comment)
        )

    async def delete_feedback(self, feedback_id: str) -> bool:
        """See ``BaseDataLayer``; raises ``XnaiError`` if it is not the user's."""
        actor = _actor()
        return await self._run(lambda store: store.steps.delete_feedback(actor, feedback_id))

    async def create_element(self, element: Any) -> None:
        """See ``BaseDataLayer``; an element that is there is replaced."""
        row = element.to_dict()
        if row["type"] in KEPT_WITHOUT_URL or row.get("url"):
            actor = _actor()
            await self._write(lambda store: store.steps.put_element(actor, row))

    async def get_element(self, thread_id: str, element_id: str) -> Any:
        """See ``BaseDataLayer``."""
        actor = _actor()
        return await self._run(lambda store: store.steps.element(actor, thread_id, element_id))

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:  # noqa: ARG002 - Chainlit's signature
        """See ``BaseDataLayer``."""
        actor = _actor()
        await self._write(lambda store: store.steps.delete_element(actor, element_id))

    async def create_step(self, step_dict: Any) -> None:
        """See ``BaseDataLayer``."""
        actor, step = _actor(), dict(step_dict)
        await self._write(lambda store: store.steps.create(actor, step))

    async def update_step(self, step_dict: Any) -> None:
        """See ``BaseDataLayer``."""
        actor, step = _actor(), dict(step_dict)
        await self._write(lambda store: store.steps.update(actor, step))

    async def delete_step(self, step_id: str) -> None:
        """See ``BaseDataLayer``."""
        actor = _actor()
        await self._write(lambda store: store.steps.delete(actor, step_id))

    async def get_thread_author(self, thread_id: str) -> str:
        """The user's name, or an empty string if there is no such thread."""
        return await self._run(lambda store: store.threads.author(thread_id))

    async def get_thread(self, thread_id: str) -> Any:
        """See ``BaseDataLayer``; raises ``XnaiError`` if it is somebody else's."""
        actor = _actor()
        return await self._run(lambda store: store.whole_thread(actor, thread_id))

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with its steps, elements, feedback and documents."""
        actor = _actor()
        # Raises if it is somebody else's, before anything of it is touched.
        if await self._run(lambda store: store.threads.owned(actor, thread_id)):
            await self._on_thread_deleted(thread_id)
            await self._run(lambda store: store.threads.delete(actor, thread_id))
            log.info("thread deleted", thread_id=thread_id)

    async def list_threads(self, pagination: Any, filters: Any) -> Any:
        """See ``BaseDataLayer``; the cursor is opaque and survives threads that move up."""
        actor = _actor()
        limit = min(max(int(pagination.first), 1), PAGE_LIMIT)
        query = ThreadQuery(
            user_id=filters.userId or "",
            limit=limit + 1,
            after=_position(pagination.cursor),
            words=(filters.search or "")[:200] or None,
            feedback=filters.feedback,
        )
        rows = await self._run(lambda store: store.threads.page(actor, query))
        page = rows[:limit]
        return PaginatedResponse(
            pageInfo=PageInfo(
                hasNextPage=len(rows) > limit,
                startCursor=_cursor(page[0]) if page else None,
                endCursor=_cursor(page[-1]) if page else None,
            ),
            data=page,
        )

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,  # noqa: ARG002 - it is who acts, whatever the caller says
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """See ``BaseDataLayer``; a name makes the thread if it is not there."""
        actor, session = _actor(), _session()
        done = self._submit(lambda store: store.threads.put(actor, thread_id, name, metadata, tags))
        # Submitted at once, before anything that is written directly can come between.
        jobs = self._held.pop(session, []) if session is not None and name is not None else []
        for write in [self._submit(job) for job in jobs]:
            await self._settle(write)
        if name is None:
            # Chainlit saves the metadata in its disconnect handler, which must not stop half way.
            await self._settle(done)
        else:
            await self._tell(done)

    async def get_favorite_steps(self, user_id: str) -> Any:
        """See ``BaseDataLayer``."""
        return await self._run(lambda store: store.steps.favorites(user_id))

    async def build_debug_url(self) -> str:
        """There is no outside service to debug with."""
        return ""

    async def close(self) -> None:
        """Finish what was asked for and close the file."""
        if self._store is not None:
            await self._run(HistoryStore.close)
            self._store = None
        await asyncio.get_running_loop().run_in_executor(None, self._worker.shutdown)

    async def _write(self, job: Job[None]) -> None:
        session = _session()
        if session is not None and not session.has_first_interaction:
            held = self._held.setdefault(session, [])
            if len(held) < HELD_LIMIT:
                held.append(job)
            return
        await self._settle(self._submit(job))

    async def _run(self, job: Job[T]) -> T:
        return await self._tell(self._submit(job))

    def _submit(self, job: Job[T]) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        try:
            return loop.run_in_executor(self._worker, self._call, job)
        except RuntimeError as exc:  # the worker was shut down
            refused: asyncio.Future[T] = loop.create_future()
            refused.set_exception(XnaiError(SHUTTING_DOWN))
            refused.exception()  # whether anybody awaits it or not, it needs no warning
            log.debug("a write came after the end", reason=str(exc))
            return refused

    def _call(self, job: Job[T]) -> T:
        if self._store is None:
            self._store = HistoryStore(self._path)
            if self._recover and (closed := self._store.steps.close_open(now())):
                log.warning("a server was killed while it answered", steps_closed=closed)
        return job(self._store)

    async def _settle(self, done: "asyncio.Future[None]") -> None:
        """Wait for a write that Chainlit left to itself: nobody would hear of its error."""
        try:
            await self._tell(done)
        except XnaiError as exc:
            metrics.error(exc.code)
            log.warning("not kept in the history", code=exc.code, reason=exc.message)

    async def _tell(self, done: "asyncio.Future[T]") -> T:
        try:
            # Who is cancelled must not take back what waits for its turn to be written: an answer
            # that is stopped just then would not be in the history.
            result = await asyncio.shield(done)
        except XnaiError as exc:
            if exc.kind is HISTORY_DOWN:
                self.problem = exc.message
            raise
        except Exception as exc:  # Chainlit shows the text of what its data layer raises
            error = self._catalogued(exc)
            self.problem = error.message
            raise error from exc
        self.problem = ""
        return result

    def _catalogued(self, exc: Exception) -> XnaiError:
        if isinstance(exc, apsw.FullError) or is_full(exc):
            return disk_full(self._path.parent)
        if not isinstance(exc, (apsw.Error, OSError)):
            log.error("the history failed unexpectedly", exc_info=exc)
        return XnaiError(HISTORY_DOWN, reason=reason_of(exc))


def _session() -> Any:
    """The session that is being served, if it is one of the page."""
    try:
        session = context.session
    except ChainlitContextException:
        return None
    return session if isinstance(session, WebsocketSession) else None


def _actor() -> str | None:
    session = _session()
    if session is not None and session.user is not None:
        return str(session.user.identifier)
    return acting_user.get()


def _cursor(row: dict[str, Any]) -> str:
    return f"{row['createdAt']}~{row['id']}"


def _position(cursor: str | None) -> tuple[str, str] | None:
    moment, _, thread_id = (cursor or "").partition("~")
    return (moment, thread_id) if thread_id else None
