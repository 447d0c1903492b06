"""All breakers of a process, and what they share."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.events import Listener, Listeners
from xnai.resilience.states import State

if TYPE_CHECKING:
    from xnai.resilience.redis.connection import RedisLink

REDIS = "redis"


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """One breaker as operators see it; times are seconds.

    ``scope`` is ``fleet`` or ``replica``; ``shared``: replicas share it through Redis.
    """

    name: str
    state: State
    scope: str
    shared: bool
    reason: str
    for_seconds: float
    retry_in: float | None
    epoch: int
    opens: int
    window_calls: int
    window_failures: int
    window_slow: int
    counts: dict[str, int]
    open_seconds: float


class Breakers:
    """Makes breakers, starts and closes them: ``async with Breakers(url) as breakers``.

    Breakers may be made before it is entered, so that functions of a module can be decorated.

    Args:
        redis_url: where shared breakers meet; "": each process has its own.
        listeners: hear of everything.

    Raises:
        ValueError: the address is none.

    """

    def __init__(self, redis_url: str = "", listeners: Sequence[Listener] = ()) -> None:
        self.listeners = Listeners(listeners)
        self.replica = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.link: RedisLink | None = None
        self._breakers: dict[str, Breaker] = {}
        self._started = False
        if redis_url:
            # Only who shares needs the library.
            from xnai.resilience.redis import connection as link  # noqa: PLC0415
            from xnai.resilience.redis.address import parse_address  # noqa: PLC0415

            self.link = link.RedisLink(parse_address(redis_url), self.replica, self.listeners)

    def make(self, name: str, config: Config | None = None, *, shared: bool = True) -> Breaker:
        """A new breaker, at any time; ``shared``: the dependency is the same for all replicas."""
        if name in self._breakers or name == REDIS:
            raise ValueError(f"there is a breaker {name!r} already")
        stores = self.link if shared else None
        breaker = Breaker(name, config, self.listeners, stores)
        self._breakers[name] = breaker
        if self._started:
            breaker.start()
        return breaker

    def get(self, name: str) -> Breaker | None:
        """The breaker of that name."""
        return self._breakers.get(name)

    def __iter__(self) -> Iterator[Breaker]:
        """All breakers, in the order they were made."""
        return iter(self._breakers.values())

    async def __aenter__(self) -> Self:
        """Begin to share; calls need not wait for it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what was started."""
        await self.close()

    async def start(self) -> None:
        """Begin to share; returns at once."""
        self._started = True
        if self.link is not None:
            self.link.start()
        for breaker in self:
            breaker.start()

    async def close(self) -> None:
        """End what was started."""
        await asyncio.gather(*(breaker.close() for breaker in self))
        if self.link is not None:
            await self.link.close()

    def status(self) -> list[BreakerStatus]:
        """Every breaker, that of Redis last."""
        found = [_status(breaker) for breaker in self]
        return [*found, _redis(self.link)] if self.link is not None else found


def _status(breaker: Breaker) -> BreakerStatus:
    machine, totals, now = breaker.machine, breaker.totals(), time.monotonic()
    lasting = now - machine.since
    is_open = machine.state in {State.OPEN, State.HALF_OPEN, State.FORCED_OPEN}
    return BreakerStatus(
        name=breaker.name,
        state=machine.state,
        scope=machine.scope,
        shared=breaker.shared,
        reason=machine.reason,
        for_seconds=lasting,
        retry_in=breaker.retry_after,
        epoch=machine.fleet.epoch,
        opens=machine.opens,
        window_calls=totals.calls,
        window_failures=totals.failures,
        window_slow=totals.slow,
        counts=breaker.counts.by_outcome(),
        open_seconds=machine.open_seconds + (lasting if is_open else 0.0),
    )


def _redis(link: "RedisLink") -> BreakerStatus:
    lasting = time.monotonic() - link.since
    is_open = link.state is not State.CLOSED
    return BreakerStatus(
        name=REDIS,
        state=link.state,
        scope="replica",
        shared=False,
        reason=link.reason,
        for_seconds=lasting,
        retry_in=link.retry_in,
        epoch=0,
        opens=link.opens,
        window_calls=0,
        window_failures=0,
        window_slow=0,
        counts=link.counts.by_outcome(),
        open_seconds=link.open_seconds + (lasting if is_open else 0.0),
    )
