"""Whether it pays to compute a guess beside the last token of every answer.

On two cores a step of eight answers with two tokens each takes a quarter more than one with one
token each, and a step of one answer twice as long; on another machine, or with a larger model, it
is otherwise. So both ways are timed as they come, for each number of answers, and the one is taken
that promises more tokens a second. A draft that is right saves a step, one that is wrong is cut
off again: what is drawn is the same either way (Leviathan et al., ICML 2023, with drafts that are
either drawn by the request's own sampler or not).
"""

from xnai.llm.averages import moving_average
from xnai.llm.worker.scheduler import Sequence

FORGETTING = 0.001  # by which the way not taken looks better after each step, so that it is retried


class Drafting:
    """Times of steps without prefill, by the number of answers and whether they had guesses."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._seconds: dict[tuple[int, bool], float] = {}

    def should_draft(self, writing: list[Sequence]) -> bool:
        """Whether the next step of these answers should compute guesses."""
        plain = self._seconds.get((len(writing), False))
        drafted = self._seconds.get((len(writing), True))
        if not self._enabled or plain is None:
            return False
        if drafted is None:
            return True  # each way is tried once
        tokens = 1 + sum(sequence.lookup.hit_rate for sequence in writing) / len(writing)
        return tokens * plain > drafted

    def measured(self, writing: int, seconds: float, *, drafted: bool) -> None:
        """Take in the time of a step."""
        old = self._seconds.get((writing, drafted))
        self._seconds[writing, drafted] = moving_average(old, seconds)
        other = (writing, not drafted)
        if other in self._seconds:
            self._seconds[other] *= 1 - FORGETTING
