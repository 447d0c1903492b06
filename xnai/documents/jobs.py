"""One task for each document that is being ingested, and any number of followers of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from xnai.documents.protocol import IngestProgress, IngestStage
from xnai.errors import NOT_FOUND, SHUTTING_DOWN, XnaiError
from xnai.observability.error_reports import report
from xnai.types import Document

Run = Callable[[str, Callable[[IngestProgress], None]], Awaitable[Document]]


@dataclass(eq=False, slots=True)
class _Follower:
    """What a follower has not seen yet: the latest of each stage, so that a slow one lags not."""

    pending: dict[IngestStage, IngestProgress] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class _Job:
    task: "asyncio.Task[Document]"
    background: bool = False
    stopping: bool = False
    followers: set[_Follower] = field(default_factory=set)
    latest: IngestProgress | None = None


class Jobs:
    """Runs ``run(document_id, tell)`` once for a document, however many ask for it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._jobs: dict[str, _Job] = {}
        self._barred: set[str] = set()
        self._closed = False

    def _tell(self, document_id: str, progress: IngestProgress) -> None:
        job = self._jobs.get(document_id)
        if job is None:
            return
        job.latest = progress
        for follower in job.followers:
            follower.pending[progress.stage] = progress
            follower.news.set()

    def _job(self, document_id: str) -> _Job:
        """The running job of a document, or a new one."""
        if self._closed:
            raise XnaiError(SHUTTING_DOWN)
        if document_id in self._barred:
            raise XnaiError(NOT_FOUND, what="document", name=document_id)
        current = self._jobs.get(document_id)
        if current is not None and not current.stopping:
            return current
        before = current.task if current is not None else None

        async def run() -> Document:
            if before is not None:
                await asyncio.wait([before])
            return await self._run(document_id, lambda event: self._tell(document_id, event))

        job = _Job(asyncio.create_task(run(), name=f"ingest-{document_id}"))
        self._jobs[document_id] = job
        job.task.add_done_callback(lambda _: self._ended(document_id, job))
        return job

    def _ended(self, document_id: str, job: _Job) -> None:
        if self._jobs.get(document_id) is job:
            del self._jobs[document_id]
        if not job.task.cancelled():
            exc = job.task.exception()  # the record has it
            if job.background and isinstance(exc, Exception):
                report(exc)  # there is nobody to raise it to
        for follower in job.followers:
            follower.news.set()

    def latest(self, document_id: str) -> IngestProgress | None:
        """What was told last of a document that is being ingested."""
        job = self._jobs.get(document_id)
        return None if job is None else job.latest

    def background(self, document_id: str) -> None:
        """Run without a follower."""
        self._job(document_id).background = True

    async def follow(self, document_id: str) -> AsyncGenerator[IngestProgress, None]:
        """Run or join; the job stops when its last follower leaves it, unless it is in background.

        Raises:
            XnaiError: what the job raises; NOT_FOUND if the document was deleted meanwhile,
                SHUTTING_DOWN if the jobs are closed.

        """
        job = self._job(document_id)
        follower = _Follower()
        if job.latest is not None:
            follower.pending[job.latest.stage] = job.latest
            follower.news.set()
        job.followers.add(follower)
        try:
            while not job.task.done():
                await follower.news.wait()
                follower.news.clear()
                pending, follower.pending = follower.pending, {}
                for progress in pending.values():
                    yield progress
            if job.task.cancelled():
                if self._closed:
                    raise XnaiError(SHUTTING_DOWN)
                raise XnaiError(NOT_FOUND, what="document", name=document_id)
            document = job.task.result()
            yield IngestProgress("storing", document.chunk_count, document.chunk_count, document)
        finally:
            job.followers.discard(follower)
            if not job.followers and not job.background:
                await self._stop(job)

    async def _stop(self, job: _Job) -> None:
        if not job.task.done():
            job.stopping = True
            job.task.cancel()
            await asyncio.wait([job.task])

    @asynccontextmanager
    async def barred(self, document_id: str) -> AsyncGenerator[None, None]:
        """Stop a document's job and let none begin inside the block."""
        self._barred.add(document_id)
        try:
            if (job := self._jobs.get(document_id)) is not None:
                await self._stop(job)
            yield
        finally:
            self._barred.discard(document_id)

    async def close(self) -> None:
        """Stop all jobs and take no more."""
        self._closed = True
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
