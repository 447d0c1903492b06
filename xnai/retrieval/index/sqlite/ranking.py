"""The two searches on a connection: by vectors, and by words."""

from collections.abc import Sequence
from typing import Any

import apsw

from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import reembedding
from xnai.retrieval.index.sqlite.fulltext import match_expression
from xnai.retrieval.index.sqlite.nearest import candidates, nearest
from xnai.retrieval.index.sqlite.scope import IN_SCOPE, owners_in, scope_values, selective
from xnai.retrieval.protocol import Vectors
from xnai.types import Scope

Hits = list[tuple[int, float]]


def by_vector(  # noqa: PLR0913, PLR0917 - what is searched, and how far
    connection: apsw.Connection,
    vector: Vectors,
    scope: Scope,
    limit: int,
    count: int,
    damage: Damage,
) -> Hits:
    """The nearest chunks, exactly among the ``count`` that are nearest by their signs."""
    by = reembedding.recorded(connection)
    if by is None or by.dimensions != len(vector):
        return []  # the model was changed just now
    rows: Any = connection.execute(
        "SELECT s.first_chunk, s.bits FROM documents d "  # noqa: S608 - our own text
        f"JOIN signatures s ON s.document_id = d.id WHERE {IN_SCOPE}",
        scope_values(scope),
    ).fetchall()
    chosen = candidates(rows, vector, count, damage)
    return nearest(connection, chosen, vector, limit, damage)


def by_words(connection: apsw.Connection, terms: Sequence[str], scope: Scope, limit: int) -> Hits:
    """The best chunks by BM25 for any of the terms."""
    owners = owners_in(connection, scope)
    if not owners:
        return []
    expression = match_expression(selective(connection, terms, owners), *owners)
    rows: Any = connection.execute(
        "SELECT f.rowid, -f.rank FROM chunks_fts f "  # noqa: S608 - our own text
        "JOIN chunks c ON c.id = f.rowid JOIN documents d ON d.id = c.document_id "
        f"WHERE f.chunks_fts MATCH :expression AND {IN_SCOPE} "
        "ORDER BY f.rank LIMIT :limit",
        scope_values(scope) | {"expression": expression, "limit": limit},
    ).fetchall()
    return sorted(rows, key=lambda hit: (-hit[1], hit[0]))
