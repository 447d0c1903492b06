"""What of a tokenizer's encoding is the text itself."""

from typing import Any

import numpy as np

from xnai.retrieval.protocol import TokenVectors, Vectors


def plain_places(encoding: Any, prefix: int) -> list[int]:
    """The tokens but for the special ones and those of a prefix of so many characters."""
    masked = zip(encoding.special_tokens_mask, encoding.offsets, strict=True)
    return [at for at, (special, (_, end)) in enumerate(masked) if not special and end > prefix]


def plain_tokens(encoding: Any, vectors: Vectors, prefix: int) -> TokenVectors:
    """The vectors of these tokens, scaled to unit length, and where they stand in the text."""
    plain = plain_places(encoding, prefix)
    chosen = vectors[plain]
    chosen /= np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)
    offsets = encoding.offsets  # made anew each time it is asked for
    starts = [max(0, offsets[place][0] - prefix) for place in plain]
    return TokenVectors(chosen, np.array(starts, np.int32))
