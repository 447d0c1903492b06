"""Times the steps of a search and of reading a document."""

import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from xnai.observability.instruments import Histogram
from xnai.observability.traces import traces

T = TypeVar("T")
P = ParamSpec("P")


class Stages:
    """The steps of something, as a histogram and as spans.

    Args:
        histogram: takes seconds and the step's name.
        prefix: of a span's name.

    """

    def __init__(self, histogram: Histogram, prefix: str) -> None:
        self._histogram = histogram
        self._prefix = prefix

    async def of(
        self, name: str, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the work gives when it is called, timed as a step."""
        began = time.monotonic()
        try:
            with traces.span(f"{self._prefix}.{name}"):
                return await work(*args, **kwargs)
        finally:
            self._histogram.observe(time.monotonic() - began, name)


class Laps:
    """Adds up the time of steps that take turns, of one task.

    Args:
        seconds: by step; may be shared with other tasks.

    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on this step; on nothing, if it has no name."""
        now = time.monotonic()
        if name:
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now
