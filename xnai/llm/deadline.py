"""One time limit for everything that an answer waits for."""

from collections.abc import Awaitable
from typing import TypeVar

from xnai.aio import Deadline
from xnai.errors import ANSWER_TIMEOUT, XnaiError

T = TypeVar("T")


class AnswerDeadline:
    """Ends every wait of an answer at one time of ``time.monotonic()``.

    Args:
        at: that time.
        allowed: the seconds that were allowed in all; None: those until then.

    """

    def __init__(self, at: float, allowed: float | None = None) -> None:
        self._deadline = Deadline(at)
        self._allowed = self.left if allowed is None else allowed

    @property
    def at(self) -> float:
        """The time of ``time.monotonic()``."""
        return self._deadline.at

    @property
    def left(self) -> float:
        """Seconds until then."""
        return self._deadline.left

    @property
    def error(self) -> XnaiError:
        """What whoever waits too long is told."""
        # What was left when the answer began is a little less than what was set.
        return XnaiError(ANSWER_TIMEOUT, seconds=round(self._allowed, 2))

    def check(self) -> None:
        """Raise ANSWER_TIMEOUT if it has passed."""
        if self._deadline.is_over:
            raise self.error

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Wait, but not past the deadline.

        Raises:
            XnaiError: ANSWER_TIMEOUT.

        """
        try:
            async with self._deadline.timeout():
                return await awaitable
        except TimeoutError as exc:
            raise self.error from exc
