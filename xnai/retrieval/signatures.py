"""Nearest vectors by their signs first: 1 bit instead of 32 for each dimension."""

import numpy as np
from numpy.typing import NDArray

from xnai.retrieval.protocol import Vectors

Signatures = NDArray[np.uint64]  # shape (n, words)


def signatures(vectors: Vectors) -> Signatures:
    """The signs of vectors of shape (n, dimensions), packed into words of 64 bits."""
    spare = -vectors.shape[1] % 64
    bits = np.pad(vectors > 0, ((0, 0), (0, spare)))
    return np.packbits(bits, axis=1).view(np.uint64)


def unpack(data: bytes, dimensions: int) -> Signatures:
    """Signatures from the bytes of an array that ``signatures`` made."""
    return np.frombuffer(data, np.uint64).reshape(-1, -(-dimensions // 64))


def closest(known: Signatures, vector: Vectors, count: int) -> NDArray[np.intp]:
    """Positions of the ``count`` signatures with the least Hamming distance, in no order.

    The distance of random-hyperplane signatures estimates the angle (Charikar, 2002); here the
    hyperplanes are the axes. Candidates are to be ranked by the vectors themselves.
    """
    if len(known) <= count:
        return np.arange(len(known))
    differing = np.bitwise_count(known ^ signatures(vector[None]))
    distances = differing.sum(axis=1, dtype=np.uint16)
    return np.argpartition(distances, count)[:count]
