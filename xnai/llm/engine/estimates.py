"""How fast answers were lately: what estimates for those who wait are made from."""

from dataclasses import dataclass

from xnai.llm.averages import moving_average
from xnai.llm.ipc import Figures

CHARACTERS_A_TOKEN = 4  # of English, as a first guess
USUAL_TOKENS = 128.0  # of an answer, as a first guess
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

    def expect(self, read: float, write: float) -> None:
        """Begin with what was measured of the model alone, in tokens a second; answers go on."""
        self._characters, self._prefill_seconds = CHARACTERS_A_TOKEN * read, 1.0
        self._token_seconds = {1: 1 / write}
        if self._answer_tokens is None:
            self._answer_tokens = USUAL_TOKENS

    def observe(self, work: Work, figures: Figures, at_once: float = 1.0) -> None:
        """Take the figures of an answer that had ``at_once`` answers beside it on average."""
        tokens, prefill = figures.completion_tokens, figures.prefill_seconds
        if work.characters and prefill > 0:
            # Smoothed apart, long prompts weigh more than short ones, whose seconds say little.
            self._characters = moving_average(self._characters, work.characters)
            self._prefill_seconds = moving_average(self._prefill_seconds, prefill)
        if tokens:
            level = max(1, round(at_once))
            seconds = figures.decode_seconds / tokens
            self._token_seconds[level] = moving_average(self._token_seconds.get(level), seconds)
            self._answer_tokens = moving_average(self._answer_tokens, tokens)

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
