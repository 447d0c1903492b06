"""Guesses the next tokens of an answer from what stands in its prompt and its text already.

Answers repeat: the lines that they quote, names and figures of their documents, and themselves.
What followed the last few tokens when they stood there before is right often enough to be worth a
try, see ``drafting``. This is prompt lookup decoding (Saxena, 2023).
"""

LENGTHS = (8, 5, 3, 2, 1)  # tokens that must agree, the most telling first


class Lookup:
    """The guesses for one sequence.

    Args:
        tokens: prompt and answer; the list is read as it grows.

    """

    def __init__(self, tokens: list[int]) -> None:
        self.matched = 0  # tokens that agreed where the last guess was taken from; 0: nowhere
        self._tokens = tokens
        self._indexed = 0
        self._at = 0  # where the guess is taken from
        self._following: dict[tuple[int, ...], int] = {}

    def look(self) -> int:
        """Look up where the last tokens stood before; returns how many of them agree there."""
        tokens = self._tokens
        for end in range(self._indexed, len(tokens)):
            for length in LENGTHS:
                if length <= end:
                    self._following[tuple(tokens[end - length : end])] = end
        self._indexed = len(tokens)
        self._at = len(tokens) - 1
        self.matched = 0
        for length in LENGTHS:
            at = self._following.get(tuple(tokens[-length:]))
            if at is not None:
                self._at, self.matched = at, length
                break
        return self.matched

    def guess(self, count: int) -> list[int]:
        """The tokens that probably follow, after ``look``; where nothing is known, repetitions."""
        known = self._tokens[self._at : self._at + count]
        # What goes on beyond the end begins with what is guessed itself.
        return [known[at % len(known)] for at in range(count)]
