"""What breakers tell those who listen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from xnai.resilience.states import State

Scope = Literal["fleet", "replica"]
Obstacle = Literal["budget", "deadline", "attempts"]
ProbeResult = Literal["succeeded", "failed", "returned", "lost"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker's state changed, as this replica sees it.

    ``scope``: whether the fleet or this replica alone is in the new state. ``seconds`` is how
    long the old state lasted; ``retry_in`` the time to the next attempt, where it is known.
    """

    breaker: str
    old: State
    new: State
    scope: Scope
    epoch: int
    reason: str
    seconds: float
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """A probe was given to this replica."""

    breaker: str
    epoch: int
    ticket: str


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """How a probe of this replica ended; ``lost``: its lease ran out, so its result is void."""

    breaker: str
    epoch: int
    ticket: str
    result: ProbeResult


@dataclass(frozen=True, slots=True)
class Retried:
    """A call failed and is tried again after ``wait`` seconds; ``attempt`` 1 was the first."""

    dependency: str
    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class RetryRefused:
    """A call failed that could be tried again, but the budget or the time is used up."""

    dependency: str
    attempt: int
    cause: Obstacle


Event = Transition | ProbeStarted | ProbeEnded | Retried | RetryRefused


class Listener(Protocol):
    """Hears every event, on the event loop: it must return at once."""

    def on_event(self, event: Event) -> None:
        """Take note of an event."""
        ...


class Listeners:
    """Passes events on; a listener that fails is logged and harms nobody."""

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Tell this one too from now on."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Pass an event to all."""
        for listener in self._listeners:
            try:
                listener.on_event(event)
            except Exception:  # noqa: BLE001 - whatever a listener does, calls go on
                _log.exception("breaker_listener_failed", listener=type(listener).__name__)


class TransitionLog:
    """A listener that writes one line for each transition."""

    def on_event(self, event: Event) -> None:
        """Write a transition's line."""
        if not isinstance(event, Transition):
            return
        log = _log.warning if event.new in {State.OPEN, State.FORCED_OPEN} else _log.info
        log(
            "breaker",
            breaker=event.breaker,
            state=event.new.value,
            was=event.old.value,
            scope=event.scope,
            epoch=event.epoch,
            reason=event.reason,
            after_seconds=round(event.seconds, 1),
            retry_in=None if event.retry_in is None else round(event.retry_in, 1),
        )
