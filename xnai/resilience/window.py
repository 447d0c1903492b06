"""How the calls of the last seconds ended: a sliding window of slices."""

from collections import deque
from typing import NamedTuple

from xnai.resilience.config import Config

_SLICES = 10


class Totals(NamedTuple):
    """What ended within the window."""

    calls: int
    failures: int
    slow: int


class Window:
    """Counts calls; what is older than the window falls out, a slice at a time.

    The counters only grow and each slice remembers where they stood when it began, so that a call
    that ends well costs one addition. ``turn`` is when the slice ends; ``troubled`` whether any
    call within the window failed or was slow; ``streak`` how many failed in a row. ``begun`` calls
    count here, of which ``void`` ended neither well nor badly.

    Args:
        seconds: length of the window.
        now: time of the caller's clock.

    """

    __slots__ = (
        *("_marks", "_width", "begun", "calls", "failures", "slow", "streak", "troubled", "turn"),
        "void",
    )

    def __init__(self, seconds: float, now: float) -> None:
        self._width = seconds / _SLICES
        self._marks: deque[Totals] = deque([Totals(0, 0, 0)], maxlen=_SLICES)
        self.calls = self.failures = self.slow = self.streak = 0
        self.begun = self.void = 0
        self.troubled = False
        self.turn = now + self._width

    @property
    def running(self) -> int:
        """How many calls have not ended."""
        return self.begun - self.calls - self.void

    def advance(self, now: float) -> None:
        """Begin the slice that ``now`` is in; call it when ``now >= turn``."""
        if now < self.turn:
            return
        steps = int((now - self.turn) / self._width) + 1
        self.turn += steps * self._width
        standing = Totals(self.calls, self.failures, self.slow)
        self._marks.extend([standing] * min(steps, _SLICES))
        self.troubled = self._since_mark() != (0, 0)

    def add(self, now: float, *, failed: bool = False, slow: bool = False) -> None:
        """Count a call that ended."""
        self.advance(now)
        self.calls += 1
        self.failures += failed
        self.slow += slow
        self.streak = self.streak + 1 if failed else 0
        self.troubled = self.troubled or failed or slow

    def totals(self, now: float) -> Totals:
        """What ended within the window."""
        self.advance(now)
        calls, failures, slow = self._marks[0]
        return Totals(self.calls - calls, self.failures - failures, self.slow - slow)

    def _since_mark(self) -> tuple[int, int]:
        _, failures, slow = self._marks[0]
        return self.failures - failures, self.slow - slow


class CallCounts:
    """Plain integers, so that counting costs next to nothing; read them whenever you like.

    Slow calls are among the succeeded and failed ones.
    """

    __slots__ = ("cancelled", "failed", "ignored", "rejected", "slow", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.failed = self.ignored = self.cancelled = 0
        self.rejected = self.slow = 0

    def ended(self, *, failed: bool) -> None:
        """Count the end of a call that was judged."""
        self.failed += failed
        self.succeeded += not failed

    def by_outcome(self) -> dict[str, int]:
        """The counts by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


def should_open(config: Config, window: Window, now: float, why: str) -> str:
    """The reason to open, in words; "" if there is none.

    ``why`` says how the last call failed.
    """
    calls, failures, slow = window.totals(now)
    last = f", the last: {why}" if why else ""
    if config.streak and window.streak >= config.streak:
        plural = "" if window.streak == 1 else "s"
        return f"{window.streak} call{plural} in a row failed{last}"
    if calls < config.min_calls:
        return ""
    within = f"of {calls} calls within {config.window:g} s"
    if failures / calls >= config.failure_rate:
        return f"{failures} {within} failed{last}"
    if slow / calls >= config.slow_rate:
        return f"{slow} {within} took longer than {config.slow_call:g} s"
    return ""
