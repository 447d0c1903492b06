"""Token vectors in 1 bit a dimension, so that those of every chunk can be kept.

A vector is kept as its signs and one scale; its product with a vector that is whole estimates the
cosine without bias worth mentioning (RaBitQ, Gao and Long, SIGMOD 2024, without the rotation, which
made no difference here). The scale is 1 / sum(|t|) of the unit vector t, by which t's product with
itself comes out as 1.
"""

import numpy as np

from xnai.retrieval.protocol import TokenVectors

FORMAT = 1  # noted beside the codes of each document; others are made anew
_LAST_START = 0xFFFF  # chunks are far shorter
_PLACE_AND_SCALE = 4  # bytes of each token


def encode(tokens: TokenVectors) -> bytes:
    """A text's tokens: their places, their scales, their signs.

    48 + 4 bytes a token for 384 dimensions. The places are uint16, the scales float16, both little
    endian; the signs fill up to whole bytes.
    """
    sums = np.maximum(np.abs(tokens.vectors).sum(axis=1), 1e-3)
    starts = np.minimum(tokens.starts, _LAST_START).astype("<u2")
    signs = np.packbits(tokens.vectors > 0, axis=1)
    return b"".join(part.tobytes() for part in (starts, (1 / sums).astype("<f2"), signs))


def is_whole(codes: bytes, dimensions: int) -> bool:
    """Tell whether codes are those of tokens of so many dimensions, as far as can be seen."""
    count, rest = divmod(len(codes), _PLACE_AND_SCALE + -(-dimensions // 8))
    return not rest and bool(np.isfinite(np.frombuffer(codes, "<f2", count, 2 * count)).all())


def decode(codes: bytes, dimensions: int) -> TokenVectors:
    """Vectors whose products with unit vectors estimate the cosines; their own lengths vary.

    Raises:
        ValueError: the codes are not those of vectors of so many dimensions.

    """
    row = -(-dimensions // 8)
    count, rest = divmod(len(codes), _PLACE_AND_SCALE + row)
    if rest:
        raise ValueError(f"{len(codes)} bytes hold no tokens of {dimensions} dimensions")
    starts = np.frombuffer(codes, "<u2", count)
    scales = np.frombuffer(codes, "<f2", count, 2 * count).astype(np.float32)
    signs = np.frombuffer(codes, np.uint8, count * row, 4 * count).reshape(count, row)
    vectors = np.unpackbits(signs, axis=1, count=dimensions).astype(np.float32)
    vectors *= 2
    vectors -= 1
    vectors *= scales[:, None]
    return TokenVectors(vectors, starts.astype(np.int32))
