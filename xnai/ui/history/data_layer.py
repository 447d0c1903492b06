"""Chainlit's data layer on SQLite: conversations outlive a refresh, a crash and a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog
from chainlit.config import config
from chainlit.data.base import BaseDataLayer
from chainlit.types import PageInfo, PaginatedResponse
from chainlit.user import PersistedUser

from xnai.documents.fair_queue import BatchQueue, ReadingTicket
from xnai.documents.turns import Turns
from xnai.errors import HISTORY_DOWN, SHUTTING_DOWN, XnaiError
from xnai.observability import metrics
from xnai.ui.actor import actor, session_served
from xnai.ui.history.protocol import History, ThreadQuery
from xnai.ui.history.rows import Row, cursor_of, now, position_of
from xnai.ui.history.sqlite.searching import ThreadSearch
from xnai.ui.history.sqlite.store import HistoryStore, explained

log = structlog.get_logger(__name__)

FILE_NAME = "history.sqlite3"
PAGE_LIMIT = 200  # threads in one answer
HELD_LIMIT = 500  # writes kept for a thread that nobody has spoken in
KEPT_WITHOUT_URL = frozenset({"custom", "file", "pdf", "image", "audio", "video"})

T = TypeVar("T")
Job = Callable[[History], T]
ThreadDeleted = Callable[[str], Awaitable[None]]


class SqliteHistory(BaseDataLayer):  # type: ignore[misc]
    """Keeps threads in ``<data_dir>/history.sqlite3``.

    One worker thread does all the work in the order of the calls, so an update never overtakes the
    insert before it. Before the first message, Chainlit's session is not a thread yet: its writes
    are held back and follow the thread, in their order.

    ``problem`` says in words why the last work failed, and is empty as long as all goes well.

    Args:
        data_dir: where the file is.
        on_thread_deleted: called with the id of a thread before it is deleted; if it raises, the
            thread stays where it is, so that it can be deleted again.
        recover: no other server uses the folder, so open steps were left by one that was killed.
        id_of_former_name: returns the id of a person whom an earlier version called by name, see
            ``People``.

    """

    def __init__(
        self,
        data_dir: Path,
        on_thread_deleted: ThreadDeleted,
        *,
        recover: bool = False,
        id_of_former_name: Callable[[str], str] = str,
    ) -> None:
        self._id_of_former_name = id_of_former_name
        self._path = data_dir / FILE_NAME
        self._on_thread_deleted = on_thread_deleted
        self._recover = recover
        self._store: History | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._search = ThreadSearch(self._path)
        self._reads = Turns(BatchQueue(1))  # persons take turns, and a write waits for one at most
        self._held: WeakKeyDictionary[Any, list[Job[None]]] = WeakKeyDictionary()
        self.problem = ""

    def install(self) -> None:
        """Make this Chainlit's data layer; call it before the server starts."""
        config.code.data_layer = lambda: self

    async def check(self) -> str:
        """Wait for the turn to write, and write nothing; returns words for people, or raises."""
        return await self._run(lambda store: store.check())

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
        who, comment = actor(), (feedback.comment or "")[:10_000]
        return await self._run(
            lambda store: store.steps.put_feedback(who, feedback.forId, feedback.value, comment)
        )

    async def delete_feedback(self, feedback_id: str) -> bool:
        """See ``BaseDataLayer``; raises ``XnaiError`` if it is not the user's."""
        who = actor()
        return await self._run(lambda store: store.steps.delete_feedback(who, feedback_id))

    async def create_element(self, element: Any) -> None:
        """See ``BaseDataLayer``; an element that is there is replaced."""
        row = element.to_dict()
        if row["type"] in KEPT_WITHOUT_URL or row.get("url"):
            who = actor()
            await self._write(lambda store: store.steps.put_element(who, row))

    async def get_element(self, thread_id: str, element_id: str) -> Any:
        """See ``BaseDataLayer``."""
        who = actor()
        return await self._run(lambda store: store.steps.element(who, thread_id, element_id))

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:  # noqa: ARG002 - Chainlit's signature
        """See ``BaseDataLayer``."""
        who = actor()
        await self._write(lambda store: store.steps.delete_element(who, element_id))

    async def create_step(self, step_dict: Any) -> None:
        """See ``BaseDataLayer``."""
        who, step = actor(), dict(step_dict)
        await self._write(lambda store: store.steps.create(who, step))

    async def update_step(self, step_dict: Any) -> None:
        """See ``BaseDataLayer``."""
        who, step = actor(), dict(step_dict)
        await self._write(lambda store: store.steps.update(who, step))

    async def delete_step(self, step_id: str) -> None:
        """See ``BaseDataLayer``."""
        who = actor()
        await self._write(lambda store: store.steps.delete(who, step_id))

    async def get_thread_author(self, thread_id: str) -> str:
        """Return the person's id; empty if there is no such thread, or none that may be seen."""
        who = actor()

        def author(store: History) -> str:
            known = store.threads.allows(who, "see", thread_id)
            return store.threads.author(thread_id) if known else ""

        return await self._run(author)

    async def get_thread(self, thread_id: str) -> Any:
        """See ``BaseDataLayer``; raises ``XnaiError`` if it is somebody else's."""
        who = actor()
        return await self._read(lambda store: store.whole_thread(who, thread_id))

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with its steps, elements, feedback and documents."""
        who = actor()
        # Raises if it is somebody else's, before anything of it is touched.
        if await self._run(lambda store: store.threads.owned(who, thread_id)):
            await self._on_thread_deleted(thread_id)
            await self._run(lambda store: store.remove_thread(who, thread_id))
            log.info("thread deleted", thread_id=thread_id)

    async def list_threads(self, pagination: Any, filters: Any) -> Any:
        """See ``BaseDataLayer``; the cursor is opaque and survives threads that move up."""
        who = actor()
        limit = min(max(int(pagination.first), 1), PAGE_LIMIT)
        query = ThreadQuery(
            user_id=filters.userId or "",
            limit=limit + 1,
            after=position_of(pagination.cursor),
            words=(filters.search or "")[:200] or None,
            feedback=filters.feedback,
            pinned=getattr(filters, "pinned", False),
        )
        if query.words:
            await self._run(lambda store: store.check())  # the file is there, with what was said
            rows = await self._result_of(asyncio.ensure_future(self._search.page(who, query)))
        else:
            rows = await self._read(lambda store: store.threads.page(who, query))
        page = rows[:limit]
        return PaginatedResponse(
            pageInfo=PageInfo(
                hasNextPage=len(rows) > limit,
                startCursor=cursor_of(page[0]) if page else None,
                endCursor=cursor_of(page[-1]) if page else None,
            ),
            data=page,
        )

    async def thread_names(self) -> dict[str, str]:
        """Return the names of the person's threads by their ids."""
        who = actor()
        return await self._read(lambda store: store.threads.names(who))

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,  # noqa: ARG002 - it is who acts, whatever the caller says
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """See ``BaseDataLayer``; a name makes the thread if it does not exist."""
        who, session = actor(), session_served()
        done = self._submit(lambda store: store.threads.put(who, thread_id, name, metadata, tags))
        # Submitted together, so that no direct write can come between.
        jobs = self._held.pop(session, []) if session is not None and name is not None else []
        for write in [self._submit(job) for job in jobs]:
            await self._finish_write(write)
        if name is None:
            # Chainlit saves the metadata in its disconnect handler, which must not fail half way.
            await self._finish_write(done)
        else:
            await self._result_of(done)

    async def get_favorite_steps(self, user_id: str) -> Any:  # noqa: ARG002 - it is who acts
        """See ``BaseDataLayer``."""
        who = actor()
        return await self._read(lambda store: store.steps.favorites(who))

    async def choices(self) -> Row:
        """Return what the person has chosen in the settings panel; see ``PersonalChoices``."""
        who = actor()
        return await self._run(lambda store: store.choices.of(who))

    async def keep_choices(self, chosen: Mapping[str, Any]) -> None:
        """Keep it for the chats to come."""
        who = actor()
        await self._run(lambda store: store.choices.put(who, chosen))

    async def build_debug_url(self) -> str:
        """Return nothing: there is no outside service to debug with."""
        return ""

    async def close(self) -> None:
        """Finish the pending work and close the file."""
        await self._search.close()
        if self._store is not None:
            await self._run(lambda store: store.close())
            self._store = None
        await asyncio.get_running_loop().run_in_executor(None, self._worker.shutdown)

    async def _write(self, job: Job[None]) -> None:
        session = session_served()
        if session is not None and not session.has_first_interaction:
            held = self._held.setdefault(session, [])
            if len(held) < HELD_LIMIT:
                held.append(job)
            return
        await self._finish_write(self._submit(job))

    async def _read(self, job: Job[T]) -> T:
        async with self._reads.turn(ReadingTicket(actor().person_id)):
            return await self._run(job)

    async def _run(self, job: Job[T]) -> T:
        return await self._result_of(self._submit(job))

    def _submit(self, job: Job[T]) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        try:
            return loop.run_in_executor(self._worker, self._call, job)
        except RuntimeError as exc:  # the worker was shut down
            refused: asyncio.Future[T] = loop.create_future()
            refused.set_exception(XnaiError(SHUTTING_DOWN))
            refused.exception()  # no warning if nobody awaits it
            log.debug("a write came after the end", reason=str(exc))
            return refused

    def _call(self, job: Job[T]) -> T:
        if self._store is None:
            self._store = HistoryStore(self._path, self._id_of_former_name)
            if self._recover and (closed := self._store.steps.close_open(now())):
                log.warning("a server was killed while it answered", steps_closed=closed)
        return job(self._store)

    async def _finish_write(self, done: "asyncio.Future[None]") -> None:
        """Wait for a write that Chainlit started without awaiting; its error would be lost."""
        try:
            await self._result_of(done)
        except XnaiError as exc:
            metrics.error(exc.code)
            log.warning("not kept in the history", code=exc.code, reason=exc.message)

    async def _result_of(self, done: "asyncio.Future[T]") -> T:
        try:
            # Cancelling the caller must not cancel a write that is queued: otherwise an answer
            # that is stopped just then would be missing from the history.
            result = await asyncio.shield(done)
        except XnaiError as exc:
            if exc.kind is HISTORY_DOWN:
                self.problem = exc.message
            raise
        except Exception as exc:  # Chainlit shows the text of what its data layer raises
            error = explained(exc, self._path)
            self.problem = error.message
            raise error from exc
        self.problem = ""
        return result
