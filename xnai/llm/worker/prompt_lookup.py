"""Guesses the next token of an answer from what stands in its prompt and its text already.

Answers repeat: names, figures and phrases of their documents, and themselves. What followed the
last few tokens when they stood there before is right often enough to be worth a try, see
``drafting``. This is prompt lookup decoding (Saxena, 2023) with drafts of one token.
"""

from xnai.llm.averages import moving_average

LENGTHS = (3, 2, 1)  # tokens that must agree, the most telling first
PRIOR = 0.4  # share of right guesses that is supposed before any was seen
NEWEST = 0.2  # weight of the newest guess


class Lookup:
    """The guesses for one sequence.

    Args:
        tokens: prompt and answer; the list is read as it grows.

    """

    def __init__(self, tokens: list[int]) -> None:
        self.hit_rate = PRIOR
        self._tokens = tokens
        self._indexed = 0
        self._following: dict[tuple[int, ...], int] = {}
        self._guess = -1

    def guess(self) -> int:
        """The token that probably follows."""
        tokens = self._tokens
        for end in range(self._indexed, len(tokens)):
            for length in LENGTHS:
                if length <= end:
                    self._following[tuple(tokens[end - length : end])] = tokens[end]
        self._indexed = len(tokens)
        self._guess = tokens[-1]
        for length in LENGTHS:
            following = self._following.get(tuple(tokens[-length:]))
            if following is not None:
                self._guess = following
                break
        return self._guess

    def learn(self, token: int) -> bool:
        """Note what really followed; True if that was guessed."""
        hit = token == self._guess
        self.hit_rate = moving_average(self.hit_rate, hit, NEWEST)
        return hit
