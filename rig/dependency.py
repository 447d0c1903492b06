"""A dependency whose health a test decides, and ears for what breakers tell."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from rig.waiting import eventually
from xnai.resilience import CircuitOpenError
from xnai.resilience.breaker import Breaker
from xnai.resilience.events import Event, Transition

QUICK: dict[str, float] = {"open_time": 0.3, "open_jitter": 0.0, "lease": 0.6, "resync": 0.5}


class SickError(Exception):
    """What the dependency raises while it is sick."""


class Dependency:
    """Something to call that is well or sick, and counts."""

    def __init__(self) -> None:
        self.sick = False
        self.calls = 0
        self.seconds = 0.0
        self.running = 0
        self.most_running = 0

    async def __call__(self) -> str:
        self.calls += 1
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            if self.sick:
                raise SickError
            return "well"
        finally:
            self.running -= 1


class Ear:
    """A listener that keeps what breakers tell."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(e.new.value, e.scope) for e in self.events if isinstance(e, Transition)]

    def reasons(self, breaker: str) -> list[str]:
        return [e.reason for e in self.events if isinstance(e, Transition) and e.breaker == breaker]


async def outcome(breaker: Breaker, function: Callable[[], Awaitable[str]]) -> str:
    """Say how one guarded call ends, in one word."""
    try:
        return await breaker.call(function)
    except SickError:
        return "sick"
    except CircuitOpenError:
        return "refused"


async def until(holds: Callable[[], object], seconds: float = 60.0) -> float:
    """Wait for a condition; returns how long it took."""
    began = time.monotonic()
    await eventually(holds, seconds=seconds, pace=0.002)
    return time.monotonic() - began


async def due(*breakers: Breaker) -> None:
    """Wait until open breakers would try their dependency again."""
    await until(lambda: not any(one.rejecting for one in breakers))


async def until_well(breaker: Breaker, function: Callable[[], Awaitable[str]]) -> float:
    """Call again and again until a call ends well; returns how long it took."""
    began = time.monotonic()

    async def is_well() -> bool:
        return await outcome(breaker, function) == "well"

    check: Callable[[], bool | Awaitable[bool]] = is_well
    await eventually(check, pace=0.005)
    return time.monotonic() - began
