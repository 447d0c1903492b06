"""Which documents a search is about, as conditions of SQL and of full text."""

import json
from collections.abc import Sequence

import apsw

from xnai.accounts.rights import seen_by
from xnai.accounts.sqlite.library_rights import library_seen_by
from xnai.retrieval.index.sqlite import records
from xnai.retrieval.index.sqlite.fulltext import match_expression
from xnai.types import Scope

MAX_RANKED = 10_000  # chunks that are ranked by BM25

# Of documents as d: whole places of a person, libraries, and single documents, each as far as it
# may be seen. All of them are in one set before anything is ranked.
IN_SCOPE = (
    "d.id IN ("  # noqa: S608 - our own text
    f"SELECT o.id FROM documents o WHERE :places AND {seen_by('o.owner')} "
    "AND (:collection IS NULL OR o.collection = :collection) "
    "UNION ALL SELECT h.document_id FROM json_each(:libraries) j "
    "CROSS JOIN libraries l ON l.id = j.value "
    "CROSS JOIN library_documents h ON h.library_id = l.id "
    f"WHERE {library_seen_by('l')} "
    "UNION ALL SELECT o.id FROM json_each(:ids) j CROSS JOIN documents o ON o.id = j.value "
    f"WHERE {seen_by('o.owner')} OR EXISTS (SELECT 1 FROM library_documents h "
    f"JOIN libraries l ON l.id = h.library_id WHERE h.document_id = o.id "
    f"AND {library_seen_by('l')}))"
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
    collection = None if scope.collection is None else records.encodable(scope.collection)
    return {
        "person_id": records.encodable(scope.owner),
        "places": int(scope.has_places),
        "collection": collection,
        "libraries": json.dumps(scope.libraries),
        "ids": json.dumps(scope.document_ids or ()),
    }
