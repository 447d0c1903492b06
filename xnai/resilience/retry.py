"""Trying again, outside of the breaker, without multiplying an outage."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, stop_never
from tenacity.wait import wait_random_exponential

from xnai.resilience.events import Listeners, Obstacle, Retried, RetryRefused

T = TypeVar("T")


def _type_name(exc: BaseException) -> str:
    return type(exc).__name__


def _no_hint(_: BaseException) -> float | None:
    return None


class RetryBudget:
    """The token bucket of one dependency: each retry takes one, each success puts a part back.

    While a dependency is down its retries dry up, so that it sees hardly more calls than there
    would be without any; that is what gRPC calls retry throttling.

    Args:
        capacity: tokens at the start and at most.
        refill: tokens that a call puts back that ended well.

    """

    def __init__(self, capacity: float = 10.0, refill: float = 0.1) -> None:
        self._capacity = capacity
        self._refill = refill
        self.tokens = capacity

    def take(self) -> bool:
        """Take a token, if there is one."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def put_back(self) -> None:
        """Note a call that ended well."""
        self.tokens = min(self._capacity, self.tokens + self._refill)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How often and when; times are seconds.

    The wait before the n-th retry is drawn from 0 to ``first`` * 2^(n-1), at most ``longest``
    (full jitter: M. Brooker, Exponential Backoff and Jitter, AWS 2015); it is never shorter than
    what ``retry_after`` reads from the exception.

    Args:
        heals: whether a call that raised this may do better next time; never asked about
            cancellation.

    """

    heals: Callable[[BaseException], bool]
    retry_after: Callable[[BaseException], float | None] = _no_hint
    describe: Callable[[BaseException], str] = _type_name
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
        self._draw = wait_random_exponential(multiplier=config.first, max=config.longest)

    async def call(self, function: Callable[[], Awaitable[T]], deadline: float = float("inf")) -> T:
        """Call until it works, but not past ``deadline`` (of ``time.monotonic()``).

        Raises:
            BaseException: what the last call raised; TimeoutError if the time ran out in it.

        """
        limit = None if deadline == float("inf") else deadline - time.monotonic()
        async with asyncio.timeout(limit):
            async for attempt in self._attempts(deadline, lambda: False):
                with attempt:
                    result = await function()
        self.budget.put_back()
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
        shown = False
        async for attempt in self._attempts(deadline, lambda: shown):  # noqa: B023 - as it is when asked
            with attempt:
                async with aclosing(open_stream()) as items:
                    async for item in items:
                        shown = shown or is_shown(item)
                        yield item
        self.budget.put_back()

    def _attempts(self, deadline: float, shown: Callable[[], bool]) -> AsyncRetrying:
        wait = 0.0

        def again(state: RetryCallState) -> bool:
            nonlocal wait
            exc = state.outcome.exception() if state.outcome is not None else None
            if not isinstance(exc, Exception) or shown() or not self._config.heals(exc):
                return False  # CancelledError and GeneratorExit are no Exception
            wait = max(self._draw(state), self._config.retry_after(exc) or 0.0)
            if cause := self._obstacle(state.attempt_number, wait, deadline):
                self._tell(RetryRefused(self._dependency, state.attempt_number, cause))
                return False
            why = self._config.describe(exc)
            self._tell(Retried(self._dependency, state.attempt_number, wait, why))
            return True

        return AsyncRetrying(retry=again, wait=lambda _: wait, stop=stop_never, reraise=True)

    def _obstacle(self, attempt: int, wait: float, deadline: float) -> Obstacle | None:
        if attempt >= self._config.attempts:
            return "attempts"
        if time.monotonic() + wait >= deadline:
            return "deadline"
        return None if self.budget.take() else "budget"
