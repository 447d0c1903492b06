"""Trying again, outside of the breaker, without multiplying an outage.

What is tried again, how long is waited and when it ends are strategies of tenacity, each by itself,
to be combined with any other of its: ``AsyncRetrying(retry=…, wait=…, stop=…)``. ``Retry`` is the
combination that a dependency needs.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState
from tenacity.retry import retry_base
from tenacity.stop import stop_after_attempt, stop_any, stop_base
from tenacity.wait import wait_base, wait_random_exponential

from xnai.resilience.config import Errors, predicate, type_name
from xnai.resilience.events import Listeners, Obstacle, Retried, RetryRefused

T = TypeVar("T")


def _no_hint(_: BaseException) -> float | None:
    return None


class RetryBudget:
    """The token bucket of one dependency: each retry takes one.

    Each call puts a share of one in, so that retries are never more than that share of the calls,
    and time does, so that who seldom calls may retry all the same (Finagle's retry budget). While a
    dependency is down it sees hardly more calls than there would be without any retries.

    Args:
        capacity: tokens at the start and at most.
        share: of a token that each call puts in when it begins.
        every: seconds in which time puts in one.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        capacity: float = 10.0,
        share: float = 0.1,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._share = share
        self._every = every
        self._clock = clock
        self._tokens = capacity
        self._at = clock()

    @property
    def tokens(self) -> float:
        """How many there are."""
        now = self._clock()
        self._put((now - self._at) / self._every)
        self._at = now
        return self._tokens

    def take(self) -> bool:
        """Take a token, if there is one."""
        if self.tokens < 1:
            return False
        self._tokens -= 1
        return True

    def called(self) -> None:
        """Note that a call begins."""
        self._put(self._share)

    def _put(self, tokens: float) -> None:
        self._tokens = min(self._capacity, self._tokens + tokens)


class IfHealing(retry_base):
    """Try again after what may do better next time, as long as nothing was shown.

    Args:
        heals: which exceptions; cancellation is never one.
        shown: whether the caller has got something already.

    """

    def __init__(self, heals: Errors, shown: Callable[[], bool] = lambda: False) -> None:
        self._heals = predicate(heals)
        self._shown = shown

    def __call__(self, state: RetryCallState) -> bool:
        """Look at how the attempt ended."""
        exc = state.outcome.exception() if state.outcome is not None else None
        # CancelledError and GeneratorExit are no Exception.
        return isinstance(exc, Exception) and not self._shown() and self._heals(exc)


class WaitAtLeast(wait_base):
    """Wait as another strategy says, but never shorter than the exception asks for."""

    def __init__(
        self, wait: wait_base, retry_after: Callable[[BaseException], float | None]
    ) -> None:
        self._wait = wait
        self._retry_after = retry_after

    def __call__(self, state: RetryCallState) -> float:
        """Seconds before the next attempt."""
        exc = state.outcome.exception() if state.outcome is not None else None
        asked = self._retry_after(exc) if exc is not None else None
        return max(self._wait(state), asked or 0.0)


class StopBeforeDeadline(stop_base):
    """Stop if the next attempt would begin past a time of ``time.monotonic()``."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        """Look at the wait that was drawn."""
        return time.monotonic() + state.upcoming_sleep >= self._deadline


class StopWhenSpent(stop_base):
    """Stop if the budget has no token for the next attempt; takes one if it has.

    It stands last of several, so that no token is taken for an attempt that another one prevents.
    """

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, _: RetryCallState) -> bool:
        """Take a token."""
        return not self._budget.take()


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How often and when; times are seconds.

    The wait before the n-th retry is drawn from 0 to ``first`` * 2^(n-1), at most ``longest``
    (full jitter: M. Brooker, Exponential Backoff and Jitter, AWS 2015); it is never shorter than
    what ``retry_after`` reads from the exception.

    Args:
        heals: exceptions after which a call may do better next time, as a type, a tuple of types
            or a predicate; never asked about cancellation.

    """

    heals: Errors
    retry_after: Callable[[BaseException], float | None] = _no_hint
    describe: Callable[[BaseException], str] = type_name
    attempts: int = 3
    first: float = 0.2
    longest: float = 5.0


class Retry:
    """Calls one dependency, if need be several times."""

    def __init__(
        self,
        dependency: str,
        config: RetryConfig,
        budget: RetryBudget | None = None,
        listeners: Listeners | None = None,
    ) -> None:
        self._dependency = dependency
        self._config = config
        self.budget = budget or RetryBudget()
        self._tell = (listeners or Listeners()).tell
        draw = wait_random_exponential(multiplier=config.first, max=config.longest)
        self._wait = WaitAtLeast(draw, config.retry_after)

    async def call(self, function: Callable[[], Awaitable[T]], deadline: float = float("inf")) -> T:
        """Call until it works, but not past ``deadline`` (of ``time.monotonic()``).

        Raises:
            BaseException: what the last call raised; TimeoutError if the time ran out in it.

        """
        self.budget.called()
        limit = None if deadline == float("inf") else deadline - time.monotonic()
        async with asyncio.timeout(limit):
            async for attempt in self.attempts(deadline, lambda: False):
                with attempt:
                    result = await function()
        return result

    async def stream(
        self,
        open_stream: Callable[[], AsyncGenerator[T, None]],
        deadline: float = float("inf"),
        is_shown: Callable[[T], bool] = lambda _: True,
    ) -> AsyncGenerator[T, None]:
        """Pass on a stream's items; begin it again if it fails before one that counts as shown.

        The stream keeps the deadline itself; here no wait goes past it.

        Raises:
            BaseException: what the last stream raised.

        """
        self.budget.called()
        shown = False
        async for attempt in self.attempts(deadline, lambda: shown):  # noqa: B023 - as it is when asked
            with attempt:
                async with aclosing(open_stream()) as items:
                    async for item in items:
                        shown = shown or is_shown(item)
                        yield item

    def attempts(self, deadline: float, shown: Callable[[], bool]) -> AsyncRetrying:
        """The attempts of one call, for a caller that makes them itself."""
        return AsyncRetrying(
            retry=IfHealing(self._config.heals, shown),
            wait=self._wait,
            stop=stop_any(
                _Told("attempts", stop_after_attempt(self._config.attempts), self._refused),
                _Told("deadline", StopBeforeDeadline(deadline), self._refused),
                _Told("budget", StopWhenSpent(self.budget), self._refused),
            ),
            before_sleep=self._retried,
            reraise=True,
        )

    def _retried(self, state: RetryCallState) -> None:
        exc = state.outcome.exception() if state.outcome is not None else None
        why = self._config.describe(exc) if exc is not None else ""
        self._tell(Retried(self._dependency, state.attempt_number, state.upcoming_sleep, why))

    def _refused(self, state: RetryCallState, cause: Obstacle) -> None:
        self._tell(RetryRefused(self._dependency, state.attempt_number, cause))


class _Told(stop_base):
    """Another strategy, whose stop somebody hears of."""

    def __init__(
        self, cause: Obstacle, stop: stop_base, tell: Callable[[RetryCallState, Obstacle], None]
    ) -> None:
        self._cause: Obstacle = cause
        self._stop = stop
        self._tell = tell

    def __call__(self, state: RetryCallState) -> bool:
        """Ask it."""
        stops = self._stop(state)
        if stops:
            self._tell(state, self._cause)
        return stops
