"""The answers that are being produced now, for the page and for the API, and how each ended.

Only this module starts, finds and cancels one, so that every stream ends in exactly one state.

    queued ⇄ retrieving         files are read, documents are searched
    queued ⇄ streaming          the model reads or writes; another goes first, or it is asked again
    any of these -> completed   ``Done`` came: what ends it afterwards comes too late
                 -> stopped, disconnected, shut_down    somebody asked for the end: the first counts
                 -> timed_out, failed                   an error of the catalogue, or any other
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import structlog

from xnai.answering.events import Done, Event, Parts, Prompted, Reading, Retrieved, Token, Waiting
from xnai.answering.summary import Account
from xnai.errors import ANSWER_TIMEOUT, SHUTTING_DOWN, TOO_MANY_REQUESTS, XnaiError
from xnai.observability import metrics, traces
from xnai.observability.audit import AuditLog
from xnai.resilience.shares import Shares

log = structlog.get_logger(__name__)

MOST = 512
_RETRY_AFTER = 5.0  # seconds; a restart takes about that long


class StreamState(StrEnum):
    """Where a stream is; the last six are ends."""

    QUEUED = "queued"
    RETRIEVING = "retrieving"
    STREAMING = "streaming"
    COMPLETED = "completed"
    STOPPED = "stopped"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SHUT_DOWN = "shut_down"


LIVE = frozenset({StreamState.QUEUED, StreamState.RETRIEVING, StreamState.STREAMING})
REFUSED = "refused"  # what the audit log says of a question that never became a stream
ENDS = tuple(state for state in StreamState if state not in LIVE)


@dataclass(eq=False)
class Stream:
    """One answer: whose it is, how far it is, and what ends it.

    ``thread`` is empty for the API, which has no threads; ``request_id`` is what page, log and
    trace call it; ``started`` and ``shown`` are times of ``time.monotonic()``.
    """

    kind: Literal["page", "api"]
    owner: str
    message: str
    session: str = ""
    thread: str = ""
    request_id: str = ""
    state: StreamState = StreamState.QUEUED
    started: float = field(default_factory=time.monotonic)
    shown: float = 0.0  # when the first text came
    reason: StreamState | None = None  # the end that was asked for
    account: Account = field(default_factory=Account)
    _task: "asyncio.Task[object] | None" = field(default_factory=asyncio.current_task)
    _sealed: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def retrieving(self) -> None:
        """Note that files are read or documents are searched."""
        self.state = StreamState.RETRIEVING

    def see(self, event: Event) -> None:
        """Follow the events of the answer."""
        self.account.see(event)
        match event:
            case Retrieved() | Waiting():
                self.state = StreamState.QUEUED
            case Prompted() | Reading() | Parts() | Token():
                self.state = StreamState.STREAMING
                if not self.shown and isinstance(event, Token):
                    self.shown = time.monotonic()
            case Done():
                self._sealed = True

    def cancel(self, reason: StreamState) -> None:
        """End the stream for a reason; the first one counts, and none after its last event."""
        if self.reason is None and not self._sealed and self.state in LIVE:
            self.reason = reason
            assert self._task is not None
            self._task.cancel()

    async def over(self) -> None:
        """Wait until it has ended."""
        await self._over.wait()

    def end(self, state: StreamState) -> None:
        """Note the end; called by the registry, once."""
        self.state = state
        self._over.set()


class Streams:
    """The registry; the page has at most one stream for a thread.

    Args:
        audit: where each question is noted once, however it ends.
        most: how many may run; nobody has more than are still free.

    """

    def __init__(self, audit: AuditLog | None = None, most: int = MOST) -> None:
        self._audit = audit
        self._shares = Shares(most)
        self._running: set[Stream] = set()
        self._threads: dict[str, Stream] = {}
        self._closed = False
        self.ended = asyncio.Event()  # set when no answer runs, and none will
        for state in ENDS:
            metrics.streams_ended.labels(state)

    @property
    def active(self) -> int:
        """How many run."""
        return len(self._running)

    def of_thread(self, thread: str) -> Stream | None:
        """The stream that runs in a thread of the page."""
        return self._threads.get(thread)

    @contextmanager
    def run(self, stream: Stream) -> Iterator[Stream]:
        """Hold a stream's place while the current task produces it; what the block raises ends it.

        Raises:
            XnaiError: SHUTTING_DOWN, no stream may start any more; TOO_MANY_REQUESTS.

        """
        refusal = None
        if self._closed:
            refusal = XnaiError(SHUTTING_DOWN, retry_after=_RETRY_AFTER)
        elif not self._shares.admits(stream.owner):
            refusal = XnaiError(TOO_MANY_REQUESTS, count=self._shares.held(stream.owner))
        if refusal is not None:
            self.note_refused(stream, refusal)
            raise refusal
        stream.account.keeps_text = self._audit is not None and self._audit.keeps_content
        assert stream.thread not in self._threads
        self._running.add(stream)
        self._shares.take(stream.owner)
        if stream.thread:
            self._threads[stream.thread] = stream
        metrics.streams_active.inc()
        end, error = StreamState.COMPLETED, None
        trace = traces.question(stream.kind)
        try:
            yield stream
        except BaseException as exc:
            end, error = end_of(stream, exc), exc
            stream.account.fail(exc)
            raise
        finally:
            self._running.discard(stream)
            self._shares.give_back(stream.owner)
            self._threads.pop(stream.thread, None)
            metrics.streams_active.dec()
            metrics.streams_ended.labels(end).inc()
            stream.end(end)
            _log_end(stream)
            trace.end(end, error, stream.shown)
            self._note(stream, end.value)

    def note_refused(self, stream: Stream, reason: BaseException) -> None:
        """Note a question that never became a stream."""
        stream.account.keeps_text = self._audit is not None and self._audit.keeps_content
        stream.account.fail(reason)
        is_gone = isinstance(reason, asyncio.CancelledError)
        self._note(stream, StreamState.DISCONNECTED.value if is_gone else REFUSED)

    def _note(self, stream: Stream, outcome: str) -> None:
        account = stream.account
        if self._audit is None or not account.question.strip():
            return
        if account.error and outcome == StreamState.COMPLETED.value and not account.is_degraded:
            outcome = StreamState.FAILED.value  # said in a message: none of the files could be read
        self._audit.record(
            "question",
            who=stream.owner,
            via=stream.kind,
            thread=stream.thread or None,
            outcome=outcome,
            seconds=round(time.monotonic() - stream.started, 3),
            **account.fields(),
        )

    def cancel_thread(self, thread: str, reason: StreamState) -> Stream | None:
        """End the stream of a thread, if there is one; returns it."""
        stream = self.of_thread(thread)
        if stream is not None:
            stream.cancel(reason)
        return stream

    async def close(self, seconds: float = 0.0) -> None:
        """Start none any more, let those that run finish for a while, then end them."""
        self._closed = True
        if self._running:
            log.info("waiting for answers to finish", running=self.active, seconds=seconds)
            await self._wait(seconds)
        while self._running:
            for stream in self._running:
                stream.cancel(StreamState.SHUT_DOWN)
            await self._wait(1.0)
        self.ended.set()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    await next(iter(self._running)).over()
        except TimeoutError:
            pass


def end_of(stream: Stream, exc: BaseException) -> StreamState:
    """The state in which an exception leaves a stream."""
    if stream.reason is not None:
        return stream.reason
    if isinstance(exc, XnaiError):
        by_kind = {ANSWER_TIMEOUT: StreamState.TIMED_OUT, SHUTTING_DOWN: StreamState.SHUT_DOWN}
        return by_kind.get(exc.kind, StreamState.FAILED)
    if isinstance(exc, (asyncio.CancelledError, GeneratorExit)):
        return StreamState.DISCONNECTED  # the server took the handler away from a client that left
    return StreamState.FAILED


def _log_end(stream: Stream) -> None:
    log.info(
        "stream ended",
        state=stream.state.value,
        kind=stream.kind,
        message=stream.message,
        thread=stream.thread,
        seconds=round(time.monotonic() - stream.started, 3),
    )
