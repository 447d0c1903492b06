"""What is under way for one completion, and when its place is free again."""

import asyncio

from xnai.llm.admission import Admission, Ticket
from xnai.llm.deadline import Deadline
from xnai.llm.frames import Frame
from xnai.llm.process import WorkerProcess
from xnai.llm.rates import Rates
from xnai.llm.request import Request


class Errand:
    """The place, the request and the time limit of one completion.

    The place is given back when the worker says that it is through with the request: that may be
    before the reader has read to the end, and after a reader has gone. A worker's death keeps the
    place for another attempt until ``close``. The deadline counts even if nobody reads.

    Args:
        admission: what gives out the places.
        ticket: this completion's.
        rates: fed with the figures of a finished answer.
        deadline: when the answer is of no use any more.

    """

    def __init__(
        self, admission: Admission, ticket: Ticket, rates: Rates, deadline: Deadline
    ) -> None:
        self.ticket = ticket
        self.deadline = deadline
        self._admission = admission
        self._rates = rates
        self._worker: WorkerProcess | None = None
        self._request: Request | None = None
        self._trial: asyncio.Lock | None = None
        self._closed = False
        self._timer = asyncio.get_running_loop().call_later(deadline.left, self._expire)

    async def wait_for_trial(self, trial: asyncio.Lock) -> None:
        """Be the only one that is tried again, until the first text or the end.

        Of several that were there when a worker died, one may be the cause: tried one by one, the
        others do not die of it twice.
        """
        if self._trial is None:
            await self.deadline.limit(trial.acquire())
            self._trial = trial

    def begin(self, worker: WorkerProcess, request: Request) -> None:
        """Follow a request that was sent."""
        self._worker, self._request = worker, request
        request.ended.add_done_callback(self._ended)
        request.proven.add_done_callback(lambda _: self._end_trial())

    async def close(self) -> None:
        """Cancel what is under way; waits a moment for the place to be free."""
        self._timer.cancel()
        self._closed = True
        self._end_trial()
        if self._worker is None or self._request is None or self._request.ended.done():
            self._admission.leave(self.ticket)
        else:
            await self._worker.discard(self._request)

    @property
    def figures(self) -> tuple[Frame, float] | None:
        """What the worker said of its work when it was through with it, and when it said so."""
        if self._request is None or not self._request.ended.done():
            return None
        frame = self._request.ended.result()
        known = frame is not None and "decode_seconds" in frame
        return (frame, self._request.ended_at) if frame is not None and known else None

    def _ended(self, end: "asyncio.Future[Frame | None]") -> None:
        frame = end.result()
        if frame is not None and frame["type"] == "finished":
            self._rates.observe(self.ticket.work, frame, self._admission.at_once(self.ticket))
        if frame is not None or self._closed:
            self._admission.leave(self.ticket)

    def _expire(self) -> None:
        if self._worker is None or self._request is None or self._request.ended.done():
            self._admission.leave(self.ticket)
        else:
            self._worker.cancel(self._request)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.release()
            self._trial = None
