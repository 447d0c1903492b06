"""Log lines that strangers can cause as often as they like: one a second, with a count."""

import time
from collections.abc import Callable
from typing import Any

SECONDS = 1.0


class SparingLog:
    """Writes at most one line of each event a second; the next one says how many were left out.

    Args:
        write: a logger's method, such as ``log.warning``.
        clock: seconds, monotonic.

    """

    def __init__(
        self, write: Callable[..., Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._written: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, event: str, **fields: object) -> None:
        """Note an event; ``event`` is one of few, and none of a stranger's choosing."""
        now = self._clock()
        if now - self._written.get(event, -SECONDS) < SECONDS:
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        self._written[event] = now
        left_out = self._left_out.pop(event, 0)
        self._write(event, **fields, **({"left_out": left_out} if left_out else {}))
