"""What is under way for one completion, and when its place is free again."""

import asyncio
import math
import time
from dataclasses import dataclass, field

import structlog

from xnai.errors import MODEL_CRASHED, QUESTION_KILLED_MODEL, SHUTTING_DOWN, XnaiError
from xnai.llm.deadline import AnswerDeadline
from xnai.llm.delivery import Delivery
from xnai.llm.engine.admission import Admission, QueuePosition
from xnai.llm.engine.estimates import Rates, Work
from xnai.llm.engine.process import WorkerProcess
from xnai.llm.engine.request import Request, WorkerDiedError
from xnai.llm.engine.supervisor import Supervisor
from xnai.llm.ipc import Cancelled, Closing, Complete, Ended, Figures, TokenCounts
from xnai.llm.ipc import event as read_event
from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.observability import metrics

ATTEMPTS = 2  # an answer of which nothing was shown, and of which no worker died, is tried again

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Shared:
    """What all completions of an engine have in common.

    Attributes:
        admission: what gives out the places.
        rates: fed with the figures of a finished answer.
        supervisor: gives the worker.
        trial: held while one that outlived a worker is tried again.
        closing: whether the engine is being stopped.

    """

    admission: Admission
    rates: Rates
    supervisor: Supervisor
    trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    closing: bool = False

    def check_open(self) -> None:
        """Refuse what comes too late.

        Raises:
            XnaiError: SHUTTING_DOWN.

        """
        if self.closing:
            raise XnaiError(SHUTTING_DOWN)

    def explain(self, death: WorkerDiedError, *, shown: bool) -> XnaiError:
        """What whoever asked is told of a worker's death.

        Raises:
            XnaiError: SHUTTING_DOWN, if that is why.

        """
        self.check_open()
        if death.blamed and not shown:
            return XnaiError(QUESTION_KILLED_MODEL, reason=str(death))
        wait = self.supervisor.status.retry_in or 1.0
        return XnaiError(MODEL_CRASHED, retry_after=wait, reason=str(death))


class Attempt:
    """The place, the request and the time limit of one completion.

    ``next_place`` leads to its turn, ``next_event`` through its answer, which is begun once more
    if a worker dies, but not of it, before any text was shown.

    The place is given back when the worker says that it is through with the request: that may be
    before the reader has read to the end, and after a reader has gone. A worker's death keeps the
    place for another attempt until ``close``. The deadline counts even if nobody reads.
    """

    def __init__(self, completion: Completion, shared: Shared) -> None:
        self._completion = completion
        self._shared = shared
        self._joined = time.monotonic()
        characters = sum(len(message.content) for message in completion.messages)
        work = Work(characters, completion.sampling.max_tokens)
        self.ticket = shared.admission.join(completion.user, work)
        self.deadline = AnswerDeadline(completion.deadline, completion.allowed)
        self._delivery = Delivery(TokenText)
        self._last_place: tuple[int, int | None] | None = None
        self._worker: WorkerProcess | None = None
        self._request: Request | None = None
        self._begun = False  # whether a worker is at it
        self._trial: asyncio.Lock | None = None
        self._closed = False
        self._timer = asyncio.get_running_loop().call_later(self.deadline.left, self._expire)

    async def next_place(self) -> QueuePosition | None:
        """The place, whenever position or estimate change; None when it is its turn."""
        while (place := self._shared.admission.place(self.ticket)).position:
            seconds = place.eta_seconds
            seen = place.position, None if seconds is None else math.ceil(seconds)
            if seen != self._last_place:
                self._last_place = seen
                return place
            await self.deadline.limit(self._shared.admission.moved(self.ticket))
        metrics.queue_wait_seconds.observe(time.monotonic() - self._joined)
        return None

    async def next_event(self) -> CompletionEvent:
        """What comes next of the answer; ``Finished`` is the last.

        Raises:
            XnaiError: MODEL_CRASHED, QUESTION_KILLED_MODEL, ANSWER_TIMEOUT, SHUTTING_DOWN, or why
                there is no worker.

        """
        while True:
            request = await self._under_way()
            try:
                frame = await self.deadline.limit(request.next())
            except WorkerDiedError as exc:
                self._begun = False
                error = self._shared.explain(exc, shown=self._delivery.shown)
                curable = error.kind is MODEL_CRASHED
                self._delivery.failed(error, curable=curable, attempts=ATTEMPTS)
                _log.info("request_retried", cause=exc.death.cause)
                continue
            if isinstance(frame, Cancelled | TokenCounts):
                raise self.deadline.error
            event = read_event(frame)
            if isinstance(event, Finished):
                self._shared.supervisor.answered()
            self._delivery.see(event)
            return event

    async def _under_way(self) -> Request:
        """The request that a worker is at; sent to the one that runs, if there is none."""
        asked = self._completion
        while not self._begun or self._request is None:
            self._shared.check_open()
            if self._delivery.failures:
                await self._wait_for_trial()
            worker = await self.deadline.limit(self._shared.supervisor.worker(patient=True))
            self.deadline.check()
            try:
                request = worker.request(
                    lambda number: Complete(
                        number, asked.messages, asked.sampling, asked.state, asked.keep
                    ),
                    timed=False,
                )
            except WorkerDiedError:
                continue  # it never had the request
            self._begin(worker, request)
        return self._request

    async def _wait_for_trial(self) -> None:
        """Be the only one that is tried again, until the first text or the end.

        Of several that were there when a worker died, one may be the cause: tried one by one, the
        others do not die of it twice.
        """
        if self._trial is None:
            await self.deadline.limit(self._shared.trial.acquire())
            self._trial = self._shared.trial

    def _begin(self, worker: WorkerProcess, request: Request) -> None:
        self._worker, self._request, self._begun = worker, request, True
        request.ended.add_done_callback(self._ended)
        request.proven.add_done_callback(lambda _: self._end_trial())

    async def close(self) -> None:
        """Cancel what is under way; waits a moment for the place to be free."""
        self._timer.cancel()
        self._closed = True
        self._end_trial()
        if self._worker is None or self._request is None or self._request.ended.done():
            self._shared.admission.leave(self.ticket)
        else:
            await self._worker.discard(self._request)

    @property
    def figures(self) -> tuple[Figures, float] | None:
        """What the worker said of its work when it was through with it, and when it said so."""
        if self._request is None or not self._request.ended.done():
            return None
        frame = self._request.ended.result()
        figures = None if frame is None or isinstance(frame, TokenCounts) else frame.figures
        return (figures, self._request.ended_at) if figures is not None else None

    def _ended(self, end: "asyncio.Future[Closing | None]") -> None:
        frame = end.result()
        if isinstance(frame, Ended):
            at_once = self._shared.admission.at_once(self.ticket)
            self._shared.rates.observe(self.ticket.work, frame.figures, at_once)
        if frame is not None or self._closed:
            self._shared.admission.leave(self.ticket)

    def _expire(self) -> None:
        if self._worker is None or self._request is None or self._request.ended.done():
            self._shared.admission.leave(self.ticket)
        else:
            self._worker.cancel(self._request)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.release()
            self._trial = None
