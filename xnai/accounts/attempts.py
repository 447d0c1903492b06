"""Wrong keys, counted by address for the page and the API together."""

import time
from collections import deque
from collections.abc import Callable

from xnai.net import share_key

FailureListener = Callable[[str, float], None]


class Attempts:
    """Counts wrong keys of each address; memory is bounded by forgetting the oldest.

    Only wrong keys are refused or paused: whoever gives the right one passes, whatever others
    behind the same address do.

    Args:
        on_wrong_key: called with the address and 0 for each wrong key, and with the seconds of the
            pause when one begins; never during a pause, or the log would fill up.
        failures: how many wrong keys within ``seconds`` begin a pause.
        seconds: the pause lasts until the first of these keys is as old.
        addresses: how many addresses are remembered.
        clock: in seconds.

    """

    def __init__(
        self,
        on_wrong_key: FailureListener = lambda _address, _pause: None,
        failures: int = 10,
        seconds: float = 60.0,
        addresses: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_wrong_key = on_wrong_key
        self._limit = failures
        self._window = seconds
        self._addresses = addresses
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def record_failure(self, address: str) -> float:
        """Count a wrong key and return the seconds of the address's pause, 0.0 if there is none."""
        now, key = self._clock(), share_key(address)
        times = self._failures.pop(key, None) or deque(maxlen=self._limit)
        self._failures[key] = times  # forgotten last
        if len(self._failures) > self._addresses:
            del self._failures[next(iter(self._failures))]
        if wait := self._wait(times, now):
            return wait
        times.append(now)
        self._on_wrong_key(address, 0.0)
        if wait := self._wait(times, now):
            self._on_wrong_key(address, wait)
        return 0.0

    def _wait(self, times: deque[float], now: float) -> float:
        if len(times) < self._limit:
            return 0.0
        return max(0.0, times[0] + self._window - now)
