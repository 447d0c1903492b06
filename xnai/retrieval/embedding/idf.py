"""How much a token of a question tells, by its rank in the tokenizer's vocabulary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of SentencePiece vocabularies, which may have "the" within words too, and of WordPiece ones.
_MOST_COMMON = ("\u2581the", "the")


@dataclass(frozen=True, slots=True)
class VocabularyRanks:
    """Vocabularies are ordered by frequency, so by Zipf's law log(rank) is about the idf.

    ``first`` is the id of the most frequent word. Measured against the idf of the searched corpus
    itself: as good on SciFact, 1 % of right sentences less on SQuAD, and it needs no look-ups.
    """

    first: int

    @classmethod
    def of(cls, tokenizer: Any) -> "VocabularyRanks":
        """Find the most frequent word of a tokenizer's vocabulary; 0 if it is not known."""
        ids = [tokenizer.token_to_id(word) for word in _MOST_COMMON]
        return cls(next((found for found in ids if found is not None), 0))

    def weights(
        self, text: str, spans: Sequence[tuple[int, int]], ids: Sequence[int]
    ) -> NDArray[np.float32] | None:
        """Weights of the tokens of a text, which sum to 1; None if there is nothing but signs."""
        raw = [
            math.log(1 + max(1, token - self.first + 1)) if _has_word(text[start:end]) else 0.0
            for (start, end), token in zip(spans, ids, strict=True)
        ]
        total = sum(raw)
        return np.array(raw, np.float32) / np.float32(total) if total else None


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)
