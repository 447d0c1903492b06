"""Documents, pages and chunks as rows, each function on the connection of a transaction."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any, get_args

import apsw
import numpy as np

from xnai.retrieval.binary_codes import FORMAT
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import places, token_codes
from xnai.retrieval.index.sqlite.erasing import erase_words, words_of
from xnai.retrieval.index.sqlite.fulltext import searchable
from xnai.retrieval.index.sqlite.nearest import signatures
from xnai.retrieval.index.sqlite.unreadable import UNREADABLE, checksum, one_by_one, rows_of
from xnai.retrieval.protocol import Embedded
from xnai.sqlite.errors import ChangedError
from xnai.types import Chunk, Document, DocumentStatus, Page, Passage, ReadingReport, report_of

_COLUMNS = ", ".join(field.name for field in fields(Document))
_NEW = {
    "collection": "'' AS collection",
    "report": "'[]' AS report",
}  # columns that earlier versions had not
_MARKS = ", ".join("?" for _ in fields(Document))
# Name and place of a document are set once, and changed on their own, also while it is read.
_UPDATES = ", ".join(
    f"{field.name} = excluded.{field.name}"
    for field in fields(Document)[1:]
    if field.name not in {"owner", "collection", "file_name"}
)
_STATUSES = frozenset(get_args(DocumentStatus))
_SURROGATE = re.compile("[\ud800-\udfff]")


def put_document(connection: apsw.Connection, document: Document) -> None:
    """Insert or replace a record and nothing else."""
    values = [_stored(value) for value in astuple(document)]
    connection.execute(
        f"INSERT INTO documents ({_COLUMNS}) VALUES ({_MARKS}) "  # noqa: S608 - our own names
        f"ON CONFLICT (id) DO UPDATE SET {_UPDATES}",
        values,
    )


def documents(
    connection: apsw.Connection, where: str, values: Mapping[str, str], damage: Damage
) -> list[Document]:
    """Records, oldest first; those that cannot be read are left out and counted."""
    columns = _columns(connection)
    query = f"SELECT {columns} FROM documents {where} ORDER BY created_at, id"  # noqa: S608

    def singly() -> Iterable[tuple[object, Any]]:
        last = connection.execute("SELECT max(rowid) FROM documents").get or 0
        also = f"{where} AND" if where else "WHERE"
        text = f"SELECT {columns} FROM documents {also} rowid = :rowid"  # noqa: S608
        for rowid in range(1, last + 1):
            try:
                row = connection.execute(text, {**values, "rowid": rowid}).fetchone()
            except UNREADABLE as exc:
                yield rowid, exc
            else:
                if row is not None:
                    yield rowid, row

    def unreadable(key: object) -> None:
        damage.note("documents", key)

    found = rows_of(connection, query, values, singly, _document, unreadable)
    return sorted(found, key=lambda document: (document.created_at, document.id))


def _columns(connection: apsw.Connection) -> str:
    """What a record is made of, also in a file of an earlier version that is looked at as it is."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(documents)")}
    names = (field.name for field in fields(Document))
    return ", ".join(_NEW.get(name, name) if name not in there else name for name in names)


def change(connection: apsw.Connection, document: Document, was: str) -> bool:
    """Set status and error of a record that has a status still; False if it has not."""
    connection.execute(
        "UPDATE documents SET status = ?, error_code = ?, error_message = ?, error_hint = ? "
        "WHERE id = ? AND status = ?",
        (
            document.status,
            document.error_code,
            encodable(document.error_message),
            document.error_hint,
            document.id,
            was,
        ),
    )
    return connection.changes() > 0


def put_pages(connection: apsw.Connection, document_id: str, pages: Iterable[Page]) -> None:
    """Insert the texts of a document's pages."""
    connection.executemany(
        "INSERT INTO pages (document_id, number, text, checksum, places, blocks) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            (document_id, page.number or 0, text, checksum(text), *places.stored(page))
            for page in pages
            for text in (encodable(page.text),)
        ),
    )


def put_chunks(
    connection: apsw.Connection, document: Document, chunks: Sequence[Chunk], embedded: Embedded
) -> None:
    """Insert a document's chunks with their words, vectors, signatures and codes of tokens."""
    last_id = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'chunks'").get
    first = (last_id or 0) + 1
    ids = range(first, first + len(chunks))
    texts = [encodable(chunk.text) for chunk in chunks]
    _, token = words_of(connection, document.id)
    connection.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (chunk_id, document.id, chunk.page, chunk.start, chunk.end, text, checksum(text))
            for chunk_id, chunk, text in zip(ids, chunks, texts, strict=True)
        ),
    )
    connection.executemany(
        "INSERT INTO chunks_fts (rowid, text, owner) VALUES (?, ?, ?)",
        ((chunk_id, searchable(text), token) for chunk_id, text in zip(ids, texts, strict=True)),
    )
    floats = np.ascontiguousarray(embedded.vectors, "<f4")
    connection.executemany(
        "INSERT INTO vectors VALUES (?, ?)",
        ((chunk_id, row.tobytes()) for chunk_id, row in zip(ids, floats, strict=True)),
    )
    token_codes.put(connection, "token_codes", first, embedded.codes)
    connection.execute(
        "INSERT INTO signatures VALUES (?, ?, ?, ?)",
        (document.id, first, signatures(embedded.vectors).tobytes(), FORMAT),
    )


def give(connection: apsw.Connection, document_id: str, owner: str) -> None:
    """Make somebody the owner of a document, and its words findable as theirs."""
    _place(connection, document_id, "owner", owner)


def move(connection: apsw.Connection, document_id: str, collection: str) -> None:
    """Have a document belong to another collection, and its words findable there."""
    _place(connection, document_id, "collection", collection)


def _place(connection: apsw.Connection, document_id: str, column: str, value: str) -> None:
    rows, before = words_of(connection, document_id)
    update = f"UPDATE documents SET {column} = ? WHERE id = ?"  # noqa: S608 - our own names
    connection.execute(update, (value, document_id))
    _, token = words_of(connection, document_id)
    if token != before:
        erase_words(connection, rows, before)
        connection.executemany(
            "INSERT INTO chunks_fts (rowid, text, owner) VALUES (?, ?, ?)",
            ((chunk_id, searchable(text), token) for chunk_id, text in rows),
        )


_PASSAGES = (
    'SELECT c.id, d.id, d.file_name, c.page, c.start, c."end", c.text, c.checksum '
    "FROM chunks c JOIN documents d ON d.id = c.document_id "
)


def passages(
    connection: apsw.Connection, hits: Sequence[tuple[int, float]], damage: Damage
) -> list[Passage]:
    """The chunks of hits in the order of the hits.

    A chunk deleted since is left out, and so is one that cannot be read or is not what was stored.
    """
    ids = [chunk_id for chunk_id, _ in hits]
    rows = rows_of(
        connection,
        _PASSAGES + "WHERE c.id IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json.dumps(ids),),
        lambda: one_by_one(connection, _PASSAGES + "WHERE c.id = ?", ids),
        sound,
        lambda chunk_id: damage.note("chunks", chunk_id),
    )
    found: dict[int, Any] = {row[0]: row for row in rows}
    return [_passage(found[chunk_id], score) for chunk_id, score in hits if chunk_id in found]


def sound(row: Any) -> Any:
    """A chunk's row, if its text is what was stored.

    Raises:
        ChangedError: it is not.

    """
    text, stored = row[-2:]
    if stored is not None and checksum(text) != stored:
        raise ChangedError("the text was changed")
    return row


def without_checksums(connection: apsw.Connection, limit: int) -> int:
    """Add the checksums that an earlier version did not store, so many; returns how many."""
    added = 0
    for table in ("chunks", "pages"):
        query = f"SELECT rowid, text FROM {table} WHERE checksum IS NULL LIMIT ?"  # noqa: S608
        keys = f"SELECT rowid FROM {table} WHERE checksum IS NULL LIMIT ?"  # noqa: S608
        one = f"SELECT rowid, text FROM {table} WHERE rowid = ?"  # noqa: S608
        rows: list[Any] = rows_of(
            connection,
            query,
            (limit,),
            lambda keys=keys, one=one: one_by_one(  # type: ignore[misc]
                connection, one, [key for (key,) in connection.execute(keys, (limit,)).fetchall()]
            ),
            lambda row: row,
            lambda _: None,
        )
        connection.executemany(
            f"UPDATE {table} SET checksum = ? WHERE rowid = ?",  # noqa: S608
            [(checksum(text), rowid) for rowid, text in rows],
        )
        added += len(rows)
    return added


def encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced one for one."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _stored(value: object) -> str | float:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int | float):
        return value
    return json.dumps(value)


def _passage(row: Any, score: float) -> Passage:
    chunk_id, document_id, file_name, page, start, end, text, _ = row
    return Passage(document_id, file_name, page, start, end, text, score, chunk_id)


def _document(row: Sequence[object]) -> Document:
    """A record.

    Raises:
        ChangedError: its values are none that were stored.

    """
    values = dict(zip((field.name for field in fields(Document)), row, strict=True))
    if values["status"] not in _STATUSES or not isinstance(values["created_at"], float):
        raise ChangedError("the record was changed")
    lists = {name: tuple(json.loads(str(values.pop(name)))) for name in ("notes", "replaces")}
    stored = json.loads(str(values.pop("report")))
    report = report_of(stored) if stored else ReadingReport()
    return Document(**values, **lists, report=report)  # type: ignore[arg-type]
