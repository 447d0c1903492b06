"""Whose turn it is: a bounded queue, first come first served, that can say how long it takes."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xnai.errors import QUEUE_FULL, SHUTTING_DOWN, XnaiError
from xnai.llm.frames import Frame

SMOOTHING = 0.3  # weight of the newest measurement
GUESSED_RETRY = 5.0  # seconds, while nothing was measured


@dataclass(frozen=True, slots=True)
class Work:
    """How much a request asks for: characters to read, at most so many tokens to write."""

    characters: int = 0
    max_tokens: int = 0


class Rates:
    """How fast answers were lately."""

    def __init__(self) -> None:
        self._read_rate: float | None = None  # characters a second, those found in the cache too
        self._token_seconds: float | None = None
        self._answer_tokens: float | None = None

    def observe(self, work: Work, figures: Frame) -> None:
        """Take the figures of an answer that is over."""
        tokens = int(figures["completion_tokens"])
        prefill = float(figures["prefill_seconds"])
        if work.characters and prefill > 0:
            self._read_rate = _smooth(self._read_rate, work.characters / prefill)
        if tokens:
            seconds = float(figures["decode_seconds"]) / tokens
            self._token_seconds = _smooth(self._token_seconds, seconds)
            self._answer_tokens = _smooth(self._answer_tokens, tokens)

    def seconds(self, work: Work) -> float | None:
        """How long a request will take; None while nothing was measured."""
        if not self._read_rate or self._token_seconds is None or self._answer_tokens is None:
            return None
        tokens = min(self._answer_tokens, work.max_tokens)
        return work.characters / self._read_rate + tokens * self._token_seconds


class Ticket:
    """One place in the queue."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.begun: float | None = None  # time.monotonic() of its turn
        self.moved = asyncio.Event()


class Turns:
    """One turn at a time.

    Args:
        limit: how many may wait.
        rates: what estimates are made from.

    """

    def __init__(self, limit: int, rates: Rates) -> None:
        self._limit = limit
        self._rates = rates
        self._current: Ticket | None = None
        self._waiting: deque[Ticket] = deque()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def join(self, work: Work, *, first: bool = False) -> Iterator[Ticket]:
        """Hold a place; leaving the block gives the turn to the next.

        Raises:
            XnaiError: QUEUE_FULL, SHUTTING_DOWN.

        """
        if self._closed:
            raise XnaiError(SHUTTING_DOWN)
        if self._current is not None and not first and self.waiting >= self._limit:
            eta = self._seconds_until(self.waiting)
            raise XnaiError(QUEUE_FULL, retry_after=eta or GUESSED_RETRY, waiting=self.waiting)
        ticket = Ticket(work)
        if first:
            self._waiting.appendleft(ticket)
        else:
            self._waiting.append(ticket)
        self._advance()
        try:
            yield ticket
        finally:
            if ticket is self._current:
                self._current = None
            else:
                self._waiting.remove(ticket)
            self._advance()

    def position(self, ticket: Ticket) -> int:
        """How many turns come first, this one's included; 0: it is its turn.

        Raises:
            XnaiError: SHUTTING_DOWN.

        """
        if self._closed:
            raise XnaiError(SHUTTING_DOWN)
        return 0 if ticket is self._current else self._waiting.index(ticket) + 1

    async def wait_move(self, ticket: Ticket) -> None:
        """Wait until the position has changed."""
        await ticket.moved.wait()
        ticket.moved.clear()

    def eta(self, ticket: Ticket) -> float | None:
        """Seconds until its turn, as far as can be told."""
        return self._seconds_until(self.position(ticket) - 1)

    def close(self) -> None:
        """Send everyone away who waits."""
        self._closed = True
        self._wake()

    def _advance(self) -> None:
        if self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            self._current.begun = time.monotonic()
            self._current.moved.set()
        self._wake()

    def _wake(self) -> None:
        for ticket in self._waiting:
            ticket.moved.set()

    def _seconds_until(self, ahead: int) -> float | None:
        """Seconds until ``ahead`` of those who wait have had their turns."""
        total = 0.0
        if self._current is not None and self._current.begun is not None:
            seconds = self._rates.seconds(self._current.work)
            if seconds is None:
                return None
            total = max(0.0, seconds - (time.monotonic() - self._current.begun))
        for ticket in list(self._waiting)[:ahead]:
            total += self._rates.seconds(ticket.work) or 0.0
        return total


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
