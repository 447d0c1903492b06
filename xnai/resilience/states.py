"""The states of a circuit breaker and what a replica knows of the fleet's."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a breaker does with a call."""

    CLOSED = "closed"  # lets it through and counts it
    OPEN = "open"  # refuses it until the open time is over
    HALF_OPEN = "half_open"  # lets a few through as probes
    FORCED_OPEN = "forced_open"  # refuses it until an operator says otherwise
    DISABLED = "disabled"  # lets it through; nothing is judged
    METRICS_ONLY = "metrics_only"  # lets it through and counts it, but never opens


TRIPPED = frozenset({State.OPEN, State.HALF_OPEN})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The fleet's state as a replica knows it; all times are of the replica's monotonic clock.

    ``revision`` grows with every change, ``epoch`` with every transition; the pair orders
    snapshots. ``free`` probes may be taken at once, and a further one at ``free_at`` when the
    lease of one that is out may run out (0: none is out). ``commanded`` is when an operator spoke
    last (0: never), so that an older word never comes after a newer one.
    """

    state: State = State.CLOSED
    epoch: int = 0
    revision: int = 0
    until: float = 0.0
    opens: int = 0  # how often it opened without closing in between
    free: int = 0
    free_at: float = 0.0
    since: float = 0.0
    reason: str = ""
    commanded: float = 0.0

    @property
    def order(self) -> tuple[int, int]:
        """Later snapshots compare greater."""
        return self.epoch, self.revision
