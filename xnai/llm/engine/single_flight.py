"""One load that any number of callers wait for."""

import asyncio

from xnai.errors import XnaiError
from xnai.llm.engine.process import WorkerProcess


class SingleFlight:
    """The outcome of the load under way, or the worker that came of the last one.

    A failure is told to all who wait; whoever asks after it waits for the next outcome.
    """

    def __init__(self) -> None:
        self._outcome: asyncio.Future[WorkerProcess] | None = None

    async def outcome(self) -> WorkerProcess:
        """Wait for the worker; any number of callers may.

        Raises:
            XnaiError: why there is none.

        """
        return await asyncio.shield(self._current())

    def landed(self, worker: WorkerProcess) -> None:
        """Hand the worker to all who wait and to all who ask until it is over."""
        if not self._current().done():
            self._current().set_result(worker)

    def failed(self, error: XnaiError) -> None:
        """Tell all who wait that there is none."""
        waiting, self._outcome = self._current(), None
        if not waiting.done():
            waiting.set_exception(error)
            waiting.exception()  # nobody need wait for it

    def over(self) -> None:
        """Forget the worker; who asks from now on waits for the next."""
        if self._outcome is not None and self._outcome.done():
            self._outcome = None

    def _current(self) -> "asyncio.Future[WorkerProcess]":
        done = self._outcome is not None and self._outcome.done()
        if self._outcome is None or (done and self._outcome.result().dead.done()):
            self._outcome = asyncio.get_running_loop().create_future()
        return self._outcome
