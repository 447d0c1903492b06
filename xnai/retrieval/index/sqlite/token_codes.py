"""Codes of the chunks' tokens as rows, each function on the connection of a transaction.

``signatures.codes`` says for each document in which format its chunks have codes; 0: they have
none, as those of an index that a former version filled.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from xnai.retrieval.binary_codes import FORMAT, is_whole
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.unreadable import one_by_one, rows_of

_IN_SERVICE = (
    "SELECT t.chunk_id, t.codes FROM token_codes t JOIN chunks c ON c.id = t.chunk_id "
    "JOIN signatures s ON s.document_id = c.document_id AND s.codes = ? "
    "WHERE t.chunk_id IN (SELECT value FROM json_each(?))"
)

_ONE = _IN_SERVICE.replace("IN (SELECT value FROM json_each(?))", "= ?")


def put(connection: apsw.Connection, table: str, first: int, codes: Iterable[bytes]) -> None:
    """Insert the codes of chunks whose ids count on from ``first``, or put them in the old's place.

    ``table`` is ``token_codes`` or ``next_token_codes``.
    """
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",  # noqa: S608 - our own names
        enumerate(codes, first),
    )


def get(
    connection: apsw.Connection, chunk_ids: Sequence[int], dimensions: int, damage: Damage
) -> dict[int, bytes]:
    """The codes of chunks, of those that have any in the format of now and that can be read."""
    ids = list(chunk_ids)
    rows: list[tuple[int, bytes]] = rows_of(
        connection,
        _IN_SERVICE,
        (FORMAT, json.dumps(ids)),
        lambda: one_by_one(connection, _ONE, ids, FORMAT),
        lambda row: (row[0], row[1]),
        lambda chunk_id: damage.note("token_codes", chunk_id),
    )
    sound = {chunk_id: codes for chunk_id, codes in rows if is_whole(codes, dimensions)}
    for chunk_id in {chunk_id for chunk_id, _ in rows} - sound.keys():
        damage.note("token_codes", chunk_id)
    return sound


def lacking(connection: apsw.Connection) -> list[str]:
    """Ids of the documents that have vectors but no codes in the format of now."""
    rows: Any = connection.execute(
        "SELECT d.id FROM documents d JOIN signatures s ON s.document_id = d.id "
        "WHERE s.codes <> ? AND d.chunk_count > 0 ORDER BY d.created_at",
        (FORMAT,),
    )
    return [document_id for (document_id,) in rows]


def complete(
    connection: apsw.Connection, document_id: str, first: int, codes: Sequence[bytes]
) -> None:
    """Store the codes of a document that lacked them."""
    put(connection, "token_codes", first, codes)
    connection.execute(
        "UPDATE signatures SET codes = ? WHERE document_id = ?", (FORMAT, document_id)
    )
