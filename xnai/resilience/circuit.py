"""The circuit of one replica: the whole breaker without Redis, its own overlay with it.

A pure state machine: every time is the caller's, nothing is awaited, nothing is read or written.

        FAILED: too many calls failed       DUE: the open time is over
    CLOSED ───────────────────────────▶ OPEN ───────────────────────▶ HALF_OPEN ◀─┐ DUE: nothing
      ▲  │ ADOPTED: the fleet was open   ▲ ▲                           │ │ └──────┘ came of the
      │  └───────────────────────────────┘ └─ FAILED: a probe failed ──┘ │          probes
      └──────────────────── SUCCEEDED: all probes ended well ────────────┘

RESET leads from every state to CLOSED.
"""

import random
from collections.abc import Callable, Mapping
from enum import Enum, auto

from xnai.resilience.config import Config
from xnai.resilience.states import State
from xnai.resilience.store import Result


class OpeningCause(Enum):
    """What a circuit changes its state for."""

    FAILED = auto()
    ADOPTED = auto()
    DUE = auto()
    SUCCEEDED = auto()
    RESET = auto()


# What is not in it changes nothing.
TRANSITIONS: Mapping[tuple[State, OpeningCause], State] = {
    (State.CLOSED, OpeningCause.FAILED): State.OPEN,
    (State.CLOSED, OpeningCause.ADOPTED): State.OPEN,
    (State.OPEN, OpeningCause.FAILED): State.OPEN,
    (State.OPEN, OpeningCause.DUE): State.HALF_OPEN,
    (State.OPEN, OpeningCause.SUCCEEDED): State.CLOSED,
    (State.OPEN, OpeningCause.RESET): State.CLOSED,
    (State.HALF_OPEN, OpeningCause.FAILED): State.OPEN,
    (State.HALF_OPEN, OpeningCause.DUE): State.HALF_OPEN,
    (State.HALF_OPEN, OpeningCause.SUCCEEDED): State.CLOSED,
    (State.HALF_OPEN, OpeningCause.RESET): State.CLOSED,
}


class Circuit:
    """CLOSED, OPEN and HALF_OPEN, with tickets for probes.

    ``opens`` counts the times it opened without closing in between, ``epoch`` the transitions.

    Args:
        config: how long it stays open, and how many probes there are.
        chance: draws the jitter of an open time, from 0 to 1.

    """

    def __init__(self, config: Config, chance: Callable[[], float] = random.random) -> None:
        self._config = config
        self._chance = chance
        self._tickets: set[int] = set()
        self._issued = 0
        self._succeeded = 0
        self.state = State.CLOSED
        self.epoch = 0
        self.until = 0.0
        self._round_over = 0.0  # when the probes begin anew, if nothing has come of them
        self.opens = 0
        self.reason = ""

    def open(self, now: float, reason: str) -> None:
        """Refuse calls for a while."""
        self._move(OpeningCause.FAILED, reason)
        self.opens += 1
        self.until = now + self._config.open_seconds(self.opens, self._chance())

    def adopt(self, until: float, opens: int, reason: str) -> None:
        """Go on with the open time of another circuit, if this one is closed."""
        if self._move(OpeningCause.ADOPTED, reason):
            self.until, self.opens = until, opens

    def close(self, reason: str) -> None:
        """Let calls through."""
        self._move(OpeningCause.SUCCEEDED, reason)
        self.opens, self.reason = 0, reason

    def reset(self) -> None:
        """Be as new; tickets that are out are void."""
        self._move(OpeningCause.RESET, "")
        self.opens = 0

    def acquire(self, now: float) -> int | None:
        """A ticket for a probe, if one may be had."""
        if self.state is State.OPEN and now >= self.until:
            self._begin_round(now, "the open time is over")
        elif self.state is State.HALF_OPEN and now >= self._round_over:
            self._begin_round(now, "nothing came of the last probes")
        if self.state is not State.HALF_OPEN or not self.free:
            return None
        self._issued += 1
        self._tickets.add(self._issued)
        return self._issued

    def release(self, ticket: int, result: Result, now: float, reason: str) -> bool:
        """Take a ticket back with its probe's result; False if it is void."""
        if ticket not in self._tickets:
            return False
        self._tickets.remove(ticket)
        if result == "failed":
            self.open(now, reason)
        elif result == "succeeded":
            self._succeeded += 1
            if self._succeeded >= self._config.probes:
                self.close(reason)
        return True

    def refuses(self, now: float) -> bool:
        """Whether no probe may be had."""
        if self.state is State.OPEN:
            return now < self.until
        return self.state is State.HALF_OPEN and self.free < 1 and now < self._round_over

    @property
    def free(self) -> int:
        """How many probes may be taken in HALF_OPEN."""
        return self._config.probes - self._succeeded - len(self._tickets)

    def _begin_round(self, now: float, reason: str) -> None:
        self._move(OpeningCause.DUE, reason)
        self._round_over = now + self._config.half_open_longest

    def _move(self, cause: OpeningCause, reason: str) -> bool:
        """Take the transition that the table has for a cause; False if it has none."""
        state = TRANSITIONS.get((self.state, cause))
        if state is None:
            return False
        self.state, self.reason = state, reason
        self.epoch += 1
        self._tickets.clear()
        self._succeeded = 0
        return True
