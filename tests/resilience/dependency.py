"""A dependency whose health a test decides, and ears for what breakers tell."""

import asyncio
import time

from xnai.resilience.breaker import BreakerOpenError
from xnai.resilience.events import Transition

QUICK = {"open_time": 0.3, "open_jitter": 0.0, "lease": 0.6, "resync": 0.5}


class SickError(Exception):
    """What the dependency raises while it is sick."""


class Dependency:
    def __init__(self):
        self.sick = False
        self.calls = 0
        self.seconds = 0.0
        self.running = 0
        self.most_running = 0

    async def __call__(self):
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
    def __init__(self):
        self.events = []

    def on_event(self, event):
        self.events.append(event)

    @property
    def states(self):
        return [(e.new.value, e.scope) for e in self.events if isinstance(e, Transition)]

    def reasons(self, breaker):
        return [e.reason for e in self.events if isinstance(e, Transition) and e.breaker == breaker]


async def outcome(breaker, function):
    """How one guarded call ends, as one word."""
    try:
        return await breaker.call(function)
    except SickError:
        return "sick"
    except BreakerOpenError:
        return "refused"


async def until(holds, seconds=5.0):
    """Wait for a condition; returns how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it did not come to pass"
        await asyncio.sleep(0.002)
    return time.monotonic() - began
