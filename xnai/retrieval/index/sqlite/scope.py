"""Which documents a search is about, as conditions of SQL and of full text."""

import json
from collections.abc import Sequence

import apsw

from xnai.accounts.rights import seen_by
from xnai.retrieval.index.sqlite import records
from xnai.retrieval.index.sqlite.fulltext import match_expression
from xnai.types import Scope

MAX_RANKED = 10_000  # chunks that are ranked by BM25

IN_SCOPE = (  # of documents as d
    f"{seen_by('d.owner')} AND ("  # noqa: S608 - our own text
    ":collection IS NULL OR d.collection = :collection) "
    "AND (:ids IS NULL OR d.id IN (SELECT value FROM json_each(:ids)))"
)


def owners_in(connection: apsw.Connection, scope: Scope) -> list[str]:
    """What the chunks in scope are marked with: collections, or the person for what is in none."""
    query = (
        "SELECT DISTINCT iif(d.collection = '', d.owner, d.collection) "  # noqa: S608 - our own
        f"FROM documents d WHERE {IN_SCOPE}"
    )
    return [str(owner) for (owner,) in connection.execute(query, scope_values(scope))]


def selective(connection: apsw.Connection, terms: Sequence[str], owners: list[str]) -> list[str]:
    """The rarest terms, as many as together occur in MAX_RANKED chunks of the owners.

    Ranking a chunk costs FTS5 some two microseconds, and the terms left out weigh least.
    """
    query = "SELECT count(*) FROM (SELECT 1 FROM chunks_fts WHERE chunks_fts MATCH ? LIMIT ?)"
    counted = [
        (connection.execute(query, (match_expression([term], *owners), MAX_RANKED)).get, term)
        for term in terms
    ]
    chosen: list[str] = []
    total = 0
    for count, term in sorted(counted):
        total += count
        if total > MAX_RANKED and chosen:
            break
        if count:
            chosen.append(term)
    return chosen or list(terms[:1])


def scope_values(scope: Scope) -> dict[str, str | int | None]:
    """Values for the names in ``IN_SCOPE``."""
    ids = None if scope.document_ids is None else json.dumps(scope.document_ids)
    collection = None if scope.collection is None else records.encodable(scope.collection)
    return {"person_id": records.encodable(scope.owner), "collection": collection, "ids": ids}
