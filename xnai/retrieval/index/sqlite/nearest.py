"""Nearest chunks by their vectors: candidates by signs, then ranked exactly.

Each function works on the connection of a transaction.
"""

import json
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from xnai.retrieval.index.damage import Damage
from xnai.retrieval.protocol import Vectors

_LENGTH = 0.02  # by which the square of a stored vector's length may differ from 1


def candidates(
    rows: list[tuple[int, bytes]], vector: Vectors, count: int, damage: Damage
) -> list[int]:
    """Ids of the ``count`` chunks whose signatures are closest.

    ``rows`` are those of documents: the id of the first chunk, and the signatures from it on.
    """
    whole = 8 * -(-len(vector) // 64)  # bytes of a signature
    sound = [row for row in rows if len(row[1]) % whole == 0]
    for first, bits in rows if len(sound) < len(rows) else ():
        if len(bits) % whole:
            damage.note("signatures", first)
    rows = sound
    if not rows:
        return []
    parts = [unpack(bits, len(vector)) for _, bits in rows]
    ids = np.concatenate(
        [first + np.arange(len(part)) for (first, _), part in zip(rows, parts, strict=True)]
    )
    chosen: list[int] = ids[closest(np.concatenate(parts), vector, count)].tolist()
    return chosen


def nearest(
    connection: apsw.Connection, among: list[int], vector: Vectors, limit: int, damage: Damage
) -> list[tuple[int, float]]:
    """The chunks with the greatest cosine similarity, best first; damaged vectors are left out."""
    rows: Any = connection.execute(
        "SELECT chunk_id, vector FROM vectors WHERE chunk_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY chunk_id",
        (json.dumps(among),),
    ).fetchall()
    size = 4 * len(vector)
    whole = [row for row in rows if len(row[1]) == size]
    floats = np.frombuffer(b"".join(data for _, data in whole), "<f4").reshape(-1, len(vector))
    with np.errstate(over="ignore", invalid="ignore"):
        # Vectors are stored at unit length, so their lengths are checksums that cost nothing.
        is_sound = np.abs(np.einsum("ij,ij->i", floats, floats) - 1) < _LENGTH
    ids = [chunk_id for (chunk_id, _), sound in zip(whole, is_sound, strict=True) if sound]
    for chunk_id in {chunk_id for chunk_id, _ in rows} - set(ids):
        damage.note("vectors", chunk_id)
    similarities = floats[is_sound] @ vector
    best = np.argsort(-similarities, kind="stable")[:limit]
    return [(ids[position], float(similarities[position])) for position in best]


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
