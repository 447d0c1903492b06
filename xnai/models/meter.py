"""How far a download is, for the terminal, the page and ``/health/ready`` alike."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

WINDOW_SECONDS = 15.0  # over which the rate is taken


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Bytes ``done`` of ``total``, from ``source``; a second brings ``rate`` bytes.

    ``eta_seconds`` is None while no rate is known.
    """

    name: str
    source: str
    done: int
    total: int
    rate: float
    eta_seconds: float | None

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 0.0


class Meter:
    """Counts the bytes of one download.

    Args:
        name: what is fetched.
        total: bytes of all of it.
        on_change: told whenever bytes came.
        clock: seconds that only grow.

    """

    def __init__(
        self,
        name: str,
        total: int,
        on_change: Callable[[MeterReading], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._total = total
        self._on_change = on_change
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self.source = ""
        self.done = 0

    def start(self, source: str, done: int) -> None:
        """Begin to take bytes from a source, with so many there already."""
        self.source, self.done = source, done
        self._seen.clear()
        self.at(done)

    def at(self, done: int) -> None:
        """Note how many bytes are there."""
        now = self._clock()
        self.done = done
        self._seen.append((now, done))
        while now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()
        self._on_change(self.reading())

    def add(self, count: int) -> None:
        """Note that bytes came."""
        self.at(self.done + count)

    def reading(self) -> MeterReading:
        """Where it is now."""
        (began, first), (now, last) = (
            (self._seen[0], self._seen[-1]) if self._seen else ((0.0, 0), (0.0, 0))
        )
        rate = max(0.0, (last - first) / (now - began)) if now > began else 0.0
        left = (self._total - self.done) / rate if rate else None
        return MeterReading(self._name, self.source, self.done, self._total, rate, left)


def bar_class(meter: Meter) -> type[Any]:
    """What ``huggingface_hub`` takes for a progress bar, counting into a meter."""

    class Bar:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: float | None = 1) -> None:
            meter.add(int(count or 0))

    return Bar
