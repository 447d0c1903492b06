"""One time limit for everything that an answer waits for."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from xnai.errors import ANSWER_TIMEOUT, XnaiError

T = TypeVar("T")


class Deadline:
    """Ends every wait at one time of ``time.monotonic()``."""

    def __init__(self, at: float) -> None:
        self._at = at
        self._allowed = max(0.0, at - time.monotonic())

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(0.0, self._at - time.monotonic())

    @property
    def error(self) -> XnaiError:
        """What whoever waits too long is told."""
        return XnaiError(ANSWER_TIMEOUT, seconds=self._allowed)

    def check(self) -> None:
        """Raise ANSWER_TIMEOUT if it has passed."""
        if not self.left:
            raise self.error

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Wait, but not past the deadline.

        Raises:
            XnaiError: ANSWER_TIMEOUT.

        """
        try:
            async with asyncio.timeout(self.left):
                return await awaitable
        except TimeoutError as exc:
            raise self.error from exc
