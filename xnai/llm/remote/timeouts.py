"""The limits of one remote answer: its deadline, its first token, the time between two."""

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import TypeVar

from xnai.errors import (
    REMOTE_FIRST_TOKEN_TIMEOUT,
    REMOTE_STALLED,
    SHUTTING_DOWN,
    XnaiError,
)
from xnai.llm.deadline import AnswerDeadline

T = TypeVar("T")


class Closing:
    """Ends every wait that is under way, and every later one, with ``SHUTTING_DOWN``."""

    def __init__(self) -> None:
        self.begun = False
        self._waits: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """Close."""
        self.begun = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(0)

    def check(self) -> None:
        """Refuse what comes too late.

        Raises:
            XnaiError: SHUTTING_DOWN.

        """
        if self.begun:
            raise XnaiError(SHUTTING_DOWN)

    async def limit(self, awaitable: Awaitable[T], until: float) -> T:
        """Wait, but not past a time of ``time.monotonic()``.

        Raises:
            TimeoutError: that time has come.
            XnaiError: SHUTTING_DOWN.

        """
        try:
            async with asyncio.timeout(0 if self.begun else until - time.monotonic()) as wait:
                self._waits.add(wait)
                try:
                    return await awaitable
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            self.check()
            raise


class AnswerClock:
    """Says how long the next piece may take, and what is wrong if it takes longer."""

    def __init__(
        self,
        endpoint: str,
        deadline: AnswerDeadline,
        first: float,
        between: float,
        closing: Closing,
    ) -> None:
        self._endpoint = endpoint
        self._deadline = deadline
        self._first = first
        self._between = between
        self._closing = closing
        self._begun = False
        self._until = time.monotonic() + first

    def progress(self, *, text: bool) -> None:
        """Note that the model has produced something, or (not ``text``) that its turn comes."""
        self._begun = self._begun or text
        self._until = time.monotonic() + (self._between if self._begun else self._first)

    async def in_line(self, awaitable: Awaitable[T]) -> T:
        """Wait for others; nothing counts but the deadline.

        Raises:
            XnaiError: ANSWER_TIMEOUT, SHUTTING_DOWN.

        """
        self._until = math.inf
        try:
            return await self.limit(awaitable)
        finally:
            self.progress(text=False)

    async def limit(self, awaitable: Awaitable[T]) -> T:
        """Wait for the next piece.

        Raises:
            XnaiError: REMOTE_FIRST_TOKEN_TIMEOUT, REMOTE_STALLED, ANSWER_TIMEOUT, SHUTTING_DOWN.

        """
        try:
            return await self._closing.limit(awaitable, min(self._until, self._deadline.at))
        except TimeoutError as exc:
            if self._deadline.at <= self._until:
                raise self._deadline.error from exc
            kind = REMOTE_STALLED if self._begun else REMOTE_FIRST_TOKEN_TIMEOUT
            seconds = self._between if self._begun else self._first
            raise XnaiError(kind, endpoint=self._endpoint, seconds=seconds) from exc
