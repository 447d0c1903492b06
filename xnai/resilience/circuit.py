"""The circuit of one replica: the whole breaker without Redis, its own overlay with it."""

from xnai.resilience.config import Config
from xnai.resilience.states import State
from xnai.resilience.store import Result


class Circuit:
    """CLOSED, OPEN and HALF_OPEN, with tickets for probes; every time is the caller's clock.

    ``opens`` counts the times it opened without closing in between.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tickets: set[int] = set()
        self._issued = 0
        self._succeeded = 0
        self.state = State.CLOSED
        self.epoch = 0
        self.until = 0.0
        self.opens = 0
        self.reason = ""

    def open(self, now: float, reason: str) -> None:
        """Refuse calls for a while."""
        self.opens += 1
        self._become(State.OPEN, reason)
        self.until = now + self._config.open_seconds(self.opens)

    def adopt(self, until: float, opens: int, reason: str) -> None:
        """Go on with the open time of another circuit."""
        if self.state is State.CLOSED:
            self._become(State.OPEN, reason)
            self.until, self.opens = until, opens

    def close(self, reason: str) -> None:
        """Let calls through."""
        self.opens = 0
        self._become(State.CLOSED, reason)

    def reset(self) -> None:
        """Be as new; tickets that are out are void."""
        self.opens = 0
        if self.state is not State.CLOSED:
            self._become(State.CLOSED, "")

    def acquire(self, now: float) -> int | None:
        """A ticket for a probe, if one may be had."""
        if self.state is State.OPEN and now >= self.until:
            self._become(State.HALF_OPEN, "the open time is over")
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

    @property
    def free(self) -> int:
        """How many probes may be taken in HALF_OPEN."""
        return self._config.probes - self._succeeded - len(self._tickets)

    def _become(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self.epoch += 1
        self._tickets.clear()
        self._succeeded = 0
