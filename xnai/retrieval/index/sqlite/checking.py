"""A check of the whole index beside its use: SQLite's own, then every text against its checksum."""

import asyncio
import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import structlog

from xnai.aio import Background, in_thread
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import records
from xnai.retrieval.index.sqlite.fulltext import match_expression, terms_of
from xnai.retrieval.index.sqlite.unreadable import UNREADABLE, checksum, one_by_one, rows_of
from xnai.sqlite.errors import ChangedError
from xnai.sqlite.snapshot import explained
from xnai.sqlite.transactions import reading
from xnai.types import Document

_STEPS = 10_000  # of SQLite's virtual machine between two looks at whether to stop
_ROWS = 500  # read at once
_LENGTH = 0.02
_EVERY = 6 * 3600.0  # seconds between two checks of a whole index
_TABLES = {
    "chunks": "SELECT rowid, text, checksum FROM chunks",
    "pages": "SELECT rowid, text, checksum FROM pages",
    "vectors": "SELECT rowid, vector, NULL FROM vectors",
}

Stopped = Callable[[], bool]

_log = structlog.get_logger(__name__)


def scrub(path: Path, damage: Damage, stopped: Stopped) -> bool:
    """Read all of an index and note what is damaged; blocks. False if it was stopped before."""
    try:
        with reading(path) as connection:
            connection.set_progress_handler(stopped, _STEPS)
            found = str(connection.execute("PRAGMA quick_check(1)").get)
            damage.found = "" if found == "ok" else " ".join(found.split())[:200]
            return read_rows(connection, damage, stopped)
    except apsw.InterruptError:
        return False
    except apsw.CorruptError as exc:
        damage.found = damage.found or str(exc)
        return True


def scrubber(path: Path, damage: Damage) -> Background:
    """Return work in the background that looks for damage in a whole index, now and again."""

    async def work() -> None:
        while True:
            stopped = threading.Event()
            try:
                await in_thread(functools.partial(scrub, path, damage, stopped.is_set))
            except Exception as exc:  # noqa: BLE001 - to be looked at again
                _log.warning("the index could not be checked", exception=type(exc).__name__)
            finally:
                stopped.set()
            await asyncio.sleep(_EVERY)

    return Background(work, "check-index")


def read_rows(connection: apsw.Connection, damage: Damage, stopped: Stopped) -> bool:
    """Read every record, text and vector that has a checksum; False if it was stopped before.

    Raises:
        apsw.Error: the tables cannot be walked.

    """
    try:
        for record in records.documents(connection, "", {}, damage):
            if stopped():
                return False
            if record.chunk_count:
                _probe_words(connection, record, damage)
        for table, query in _TABLES.items():
            if not _read_table(connection, table, query, damage, stopped):
                return False
    except apsw.SQLError:  # tables of an earlier version, which have none
        pass
    return True


def records_in(path: Path, damage: Damage) -> list[Document]:
    """Return the records of an index that can be read; none of tables of an earlier version."""
    try:
        with reading(path) as connection:
            return records.documents(connection, "", {}, damage)
    except apsw.SQLError:
        return []
    except apsw.Error as exc:
        damage.found = str(exc)
        return []


def kept_files(path: Path) -> list[tuple[str, int, str]]:
    """Id, size in bytes and sha256 of the file of each document in an index.

    Raises:
        SnapshotError: it cannot be read.

    """
    query = "SELECT id, size, sha256 FROM documents ORDER BY id"
    with explained(), reading(path) as connection:
        rows: Any = connection.execute(query).fetchall()
    return [(str(name), int(size), str(digest)) for name, size, digest in rows]


def _probe_words(connection: apsw.Connection, record: Document, damage: Damage) -> None:
    """Look up a word of a document's first chunk: the inverted index can be gone unnoticed."""
    query = "SELECT id, text FROM chunks WHERE document_id = ? ORDER BY id LIMIT 1"
    try:
        row: Any = connection.execute(query, (record.id,)).fetchone()
        terms = terms_of(row[1]) if row else []
        if not terms:
            return
        looked_up = "SELECT 1 FROM chunks_fts WHERE chunks_fts MATCH ? AND rowid = ?"
        expression = match_expression([max(terms, key=len)], record.collection or record.owner)
        is_found = connection.execute(looked_up, (expression, row[0])).get is not None
    except apsw.CorruptError:
        is_found = False
    except UNREADABLE:  # the text is counted where texts are read
        return
    if not is_found:
        damage.note("words", record.id)


def _read_table(
    connection: apsw.Connection, table: str, query: str, damage: Damage, stopped: Stopped
) -> bool:
    last: Any = 0
    while not stopped():
        keys = [
            key
            for (key,) in connection.execute(
                f"SELECT rowid FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608
                (last, _ROWS),
            )
        ]
        if not keys:
            return True
        rows_of(
            connection,
            f"{query} WHERE rowid BETWEEN ? AND ?",
            (keys[0], keys[-1]),
            lambda keys=keys: one_by_one(connection, f"{query} WHERE rowid = ?", keys),  # type: ignore[misc]
            _require_sound,
            lambda key: damage.note(table, key),
        )
        last = keys[-1]
    return False


def _require_sound(row: Any) -> None:
    """Raise one of UNREADABLE for a text or a vector that is not what was stored."""
    _, value, known = row
    if isinstance(value, bytes):
        floats = np.frombuffer(value, "<f4")
        with np.errstate(over="ignore", invalid="ignore"):
            is_sound = abs(float(floats @ floats) - 1) < _LENGTH
    else:
        is_sound = known is None or checksum(value) == known
    if not is_sound:
        raise ChangedError("it is not what was stored")
