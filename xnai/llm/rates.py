"""How fast answers were lately: what estimates for those who wait are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

SMOOTHING = 0.3  # weight of the newest measurement
LEAST_LEFT = 0.1  # share of its estimate that an answer still takes once it is overdue


@dataclass(frozen=True, slots=True)
class Work:
    """How much a request asks for: characters to read, at most so many tokens to write."""

    characters: int = 0
    max_tokens: int = 0


class Rates:
    """Exponentially smoothed measurements of answers that are over.

    Reading is measured in characters of the whole prompt, so that what the cache spares counts;
    decoding in seconds per token for each number of answers at once, since they share the cores.
    """

    def __init__(self) -> None:
        self._characters: float | None = None
        self._prefill_seconds: float | None = None
        self._token_seconds: dict[int, float] = {}
        self._answer_tokens: float | None = None

    def observe(self, work: Work, figures: Mapping[str, object], at_once: float = 1.0) -> None:
        """Take the closing figures of an answer that had ``at_once`` answers beside it on average.

        ``figures`` has completion_tokens, prefill_seconds and decode_seconds.
        """
        tokens = int(str(figures["completion_tokens"]))
        prefill = float(str(figures["prefill_seconds"]))
        if work.characters and prefill > 0:
            # Smoothed apart, long prompts weigh more than short ones, whose seconds say little.
            self._characters = _smooth(self._characters, work.characters)
            self._prefill_seconds = _smooth(self._prefill_seconds, prefill)
        if tokens:
            level = max(1, round(at_once))
            seconds = float(str(figures["decode_seconds"])) / tokens
            self._token_seconds[level] = _smooth(self._token_seconds.get(level), seconds)
            self._answer_tokens = _smooth(self._answer_tokens, tokens)

    def seconds(self, work: Work, at_once: int = 1) -> float | None:
        """How long a request will take beside the others; None while nothing was measured."""
        if not self._characters or self._prefill_seconds is None or self._answer_tokens is None:
            return None
        # Of levels equally near, the busier one: rather too long than too short.
        near = min(self._token_seconds, key=lambda level: (abs(level - at_once), -level))
        tokens = min(self._answer_tokens, work.max_tokens)
        reading = work.characters * self._prefill_seconds / self._characters
        return reading + tokens * self._token_seconds[near]


def left(expected: float, elapsed: float) -> float:
    """Seconds that are left of an answer; an overdue one is never quite over."""
    return max(expected - elapsed, LEAST_LEFT * expected)


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
