"""How soon, and how often in a row, a worker that died is started again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from xnai.llm.engine.launch import Death

BACK_OFF = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each restart in a row
REST_SECONDS = 60.0  # after the last of them; then only a question has it tried again
STABLE_SECONDS = 60.0  # a worker that lived this long begins the row anew


@dataclass(frozen=True, slots=True)
class Restart:
    """When the next attempt may be made, and whether it is made unasked."""

    delay: float  # seconds
    automatic: bool


class Restarts:
    """Counts deaths in a row: without an answer and without a long life between them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at: float | None = None
        self.failures = 0

    def started(self) -> None:
        """Note that a worker is ready."""
        self._started_at = self._clock()

    def answered(self) -> None:
        """Note that the worker does its work: the next restart comes at once."""
        self.failures = 0

    def died(self) -> Restart:
        """Note a death; tells how to go on."""
        if self._started_at is not None and self._clock() - self._started_at > STABLE_SECONDS:
            self.failures = 0
        self._started_at = None
        self.failures += 1
        if self.failures <= len(BACK_OFF):
            return Restart(BACK_OFF[self.failures - 1], automatic=True)
        return Restart(REST_SECONDS, automatic=False)

    def explain(self, death: Death) -> str:
        """The death in words, with how often it was."""
        if self.failures == 1:
            return death.words
        return f"{death.words}; that was {self.failures} times in a row"
