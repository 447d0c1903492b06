"""Nearest chunks by their vectors: candidates by signs, then ranked exactly.

Each function works on the connection of a transaction.
"""

import json
from typing import Any

import apsw
import numpy as np

from xnai.retrieval.protocol import Vectors
from xnai.retrieval.signatures import closest, unpack


def candidates(rows: list[tuple[int, bytes]], vector: Vectors, count: int) -> list[int]:
    """Ids of the ``count`` chunks whose signatures are closest.

    ``rows`` are those of documents: the id of the first chunk, and the signatures from it on.
    """
    if not rows:
        return []
    parts = [unpack(bits, len(vector)) for _, bits in rows]
    ids = np.concatenate(
        [first + np.arange(len(part)) for (first, _), part in zip(rows, parts, strict=True)]
    )
    chosen: list[int] = ids[closest(np.concatenate(parts), vector, count)].tolist()
    return chosen


def nearest(
    connection: apsw.Connection, among: list[int], vector: Vectors, limit: int
) -> list[tuple[int, float]]:
    """The chunks with the greatest cosine similarity, best first."""
    rows: Any = connection.execute(
        "SELECT chunk_id, vector FROM vectors WHERE chunk_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY chunk_id",
        (json.dumps(among),),
    ).fetchall()
    ids = [chunk_id for chunk_id, _ in rows]
    floats = np.frombuffer(b"".join(data for _, data in rows), "<f4")
    similarities = floats.reshape(len(ids), -1) @ vector if ids else np.empty(0)
    best = np.argsort(-similarities, kind="stable")[:limit]
    return [(ids[position], float(similarities[position])) for position in best]
