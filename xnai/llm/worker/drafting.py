"""How many tokens are guessed and computed beside the last token of every answer.

A step that computes several tokens of an answer takes longer than one that computes one, but not so
many times as long: on two cores with AMX, a 1.5B model takes 92 ms for one token, 125 for two, 159
for eight. A quotation, of which nearly all guesses are right, comes three to five times as fast.
What is right about guesses and how long steps take differs by model, machine and load, so both are
measured as they come, and the number is taken that promises most tokens a second. A draft that is
right saves a step, one that is wrong is cut off again: what is drawn is the same either way
(Leviathan et al., ICML 2023; here a draft either is what the request's own sampler draws, or not).
"""

from collections.abc import Sequence

from xnai.llm.averages import moving_average

COUNTS = (0, 1, 3, 7, 11)  # guesses beside the last token of each answer
FORGETTING = 0.001  # by which ways not taken look better after each step, so that they are retried
# How likely a guess is right by how many tokens agree, before any was seen.
PRIOR = {0: 0.02, 1: 0.2, 2: 0.4, 3: 0.6, 5: 0.8, 8: 0.9}
NEWEST = 0.04  # weight of the newest guess
LEAST_LIKELY = 0.5  # guesses that are less likely to be right are no reason to try a way out


class Drafting:
    """Times of steps without prefill, by the number of answers and of guesses for each.

    Args:
        most_tokens: that one step may compute of all answers together.
        enabled: whether tokens may be guessed at all.

    """

    def __init__(self, most_tokens: int, *, enabled: bool = True) -> None:
        self._counts = COUNTS if enabled else (0,)
        self._most = most_tokens
        self._seconds: dict[tuple[int, int], float] = {}
        self._likely = dict(PRIOR)

    def guesses(self, matched: Sequence[int]) -> int:
        """How many tokens the next step should guess for each answer.

        Args:
            matched: of each answer, how many tokens agree where its guess is taken from.

        """
        answers = len(matched)
        chances = [self._likely[one] for one in matched]
        best, most = 0, 0.0
        for count in self._counts:
            if answers * (1 + count) > self._most:
                break
            seconds = self._seconds.get((answers, count))
            if seconds is None:
                if count and sum(chances) < LEAST_LIKELY * answers:
                    break
                return count  # each way is tried once
            rate = sum(_expected(chance, count) for chance in chances) / seconds
            if rate > most:
                best, most = count, rate
        return best

    def learn(self, matched: int, guessed: int, right: int) -> None:
        """Note how many of an answer's guesses were right, up to the first that was not."""
        likely = self._likely[matched]
        for _ in range(right):
            likely = moving_average(likely, 1.0, NEWEST)
        if right < guessed:
            likely = moving_average(likely, 0.0, NEWEST)
        self._likely[matched] = likely

    def measured(self, answers: int, guesses: int, seconds: float) -> None:
        """Take in the time of a step."""
        old = self._seconds.get((answers, guesses))
        self._seconds[answers, guesses] = moving_average(old, seconds)
        for count in self._counts:
            if count != guesses and (answers, count) in self._seconds:
                self._seconds[answers, count] *= 1 - FORGETTING


def _expected(chance: float, guesses: int) -> float:
    """Tokens that a step gives on average: the one that is drawn anyway, and the right guesses."""
    return float(sum(chance**count for count in range(guesses + 1)))
