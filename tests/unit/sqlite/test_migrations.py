"""Databases of every earlier version, brought up to date with what is in them."""

import struct
from contextlib import closing

import apsw
import pytest

from xnai.accounts.sqlite import sessions
from xnai.accounts.sqlite.sessions import SqliteSessions
from xnai.retrieval.index.sqlite import schema
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import ChunkTexts
from xnai.sqlite.migrations import NewerVersionError, migrate, read_migrations
from xnai.ui.history.sqlite import schema as history_schema

DIMENSIONS = 8
VERSIONS = range(1, len(schema.MIGRATIONS))


def index_of_version(path, version, monkeypatch):
    """An index as the program of that version left it, with a document of a chat in it."""
    connection = apsw.Connection(str(path))
    connection.pragma("page_size", 8192)
    connection.pragma("journal_mode", "wal")
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        schema.migrate(connection)
    chat = ("", "thread:t") if version >= 7 else ("thread:t",)
    names = "owner, collection" if version >= 7 else "owner"
    connection.execute(
        f"INSERT INTO documents (id, {names}, file_name, media_type, size, sha256, created_at, "
        "status, page_count, chunk_count, notes, error_code, error_message, error_hint) "
        f"VALUES ('d', {', '.join('?' * len(chat))}, "
        "'a.txt', 'text/plain', 9, 'x', 1.0, 'processed', 1, 1, '[]', '', '', '')",
        chat,
    )
    connection.execute("INSERT INTO pages (document_id, number, text) VALUES ('d', 0, 'The lamp.')")
    if version >= 2:
        connection.execute(
            "INSERT INTO chunks (document_id, start, \"end\", text) VALUES ('d', 0, 9, 'The lamp.')"
        )
        vector = struct.pack(f"<{DIMENSIONS}f", 1.0, *[0.0] * (DIMENSIONS - 1))
        connection.execute("INSERT INTO vectors VALUES (1, ?)", (vector,))
        connection.execute("INSERT INTO chunks_fts (rowid, text, owner) VALUES (1, 'lamp', 'x')")
    connection.close()


@pytest.mark.parametrize("version", VERSIONS, ids=lambda n: schema.MIGRATIONS[n - 1].name)
async def test_an_index_of_each_version_keeps_what_it_has(tmp_path, monkeypatch, version):
    path = tmp_path / "index.sqlite3"
    index_of_version(path, version, monkeypatch)
    index = SqliteIndex(path, DIMENSIONS)
    try:
        by = await index.start()
        document = await index.get("d")
        text = await index.page_text("d", None)
        chunks = await index.texts("d")
    finally:
        await index.close()

    assert (document.owner, document.collection, document.replaces) == ("", "thread:t", ())
    assert text == "The lamp."
    assert chunks == (ChunkTexts("d", 1, ("The lamp.",)) if version >= 2 else None)
    if version in {2, 3}:  # until then nothing told whose the vectors are
        assert (by.model, by.dimensions) == (schema.BUNDLED, DIMENSIONS)
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_an_index_of_each_version_becomes_what_a_new_one_is(tmp_path, monkeypatch):
    def tables(version: int) -> list[tuple[str, str]]:
        path = tmp_path / str(version)
        if version:
            index_of_version(path, version, monkeypatch)
        connection = apsw.Connection(str(path))
        schema.migrate(connection)
        found = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        connection.close()
        return found

    new = tables(0)
    assert all(tables(version) == new for version in VERSIONS)


@pytest.mark.parametrize("version", range(1, len(history_schema.MIGRATIONS)))
def test_a_history_of_each_version_keeps_what_it_has(monkeypatch, version):
    connection = apsw.Connection(":memory:")
    with monkeypatch.context() as then:
        then.setattr(history_schema, "MIGRATIONS", history_schema.MIGRATIONS[:version])
        history_schema.prepare(connection)
    connection.execute("INSERT INTO users VALUES ('u', 'local', 'now', '{}')")
    columns = "id, user_id, created_at, updated_at"
    connection.execute(f"INSERT INTO threads ({columns}) VALUES ('t', 'u', 'now', 'now')")
    history_schema.prepare(connection, lambda name: {"local": "p1"}.get(name, name))

    assert connection.pragma("user_version") == len(history_schema.MIGRATIONS)
    authors = "SELECT u.identifier FROM threads JOIN users u ON u.id = user_id"
    # People have ids since the second version.
    assert connection.execute(authors).get == ("p1" if version == 1 else "local")


@pytest.mark.parametrize("names", [["m002_b"], ["m001_a", "m003_c"], ["m001_a", "m001_b"], ["a"]])
def test_migrations_are_numbered_without_a_gap(tmp_path, names):
    for name in names:
        (tmp_path / f"{name}.sql").write_text("SELECT 1;")
    with pytest.raises(ValueError, match="numbered"):
        read_migrations(tmp_path)


def test_sessions_of_before_there_were_migrations_stay_open(tmp_path):
    store = SqliteSessions(tmp_path)
    session = store.create("p1", 60.0)
    store.close()
    with closing(apsw.Connection(str(tmp_path / sessions.FILE))) as connection:
        connection.pragma("user_version", 0)  # the table is all that there was

    store = SqliteSessions(tmp_path)
    try:
        assert store.is_open(session, "p1")
        assert not store.is_open(session, "p2")
    finally:
        store.close()


def test_sessions_of_a_newer_version_are_set_aside_and_new_ones_begun(tmp_path):
    with closing(apsw.Connection(str(tmp_path / sessions.FILE))) as connection:
        connection.pragma("user_version", len(sessions.MIGRATIONS) + 1)

    store = SqliteSessions(tmp_path)
    try:
        assert store.is_open(store.create("p1", 60.0), "p1")
    finally:
        store.close()
    assert len([*tmp_path.glob(f"{sessions.FILE}.aside-*")]) == 1


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path):
    (tmp_path / "m001_lamps.sql").write_text("CREATE TABLE lamps (id)")
    lamps = read_migrations(tmp_path)
    (tmp_path / "m002_wrong.sql").write_text("CREATE TABLE beds (id); DROP TABLE chairs")
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection, lamps)
        with pytest.raises(apsw.SQLError):
            migrate(connection, read_migrations(tmp_path))
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        assert (tables, connection.pragma("user_version")) == ({"lamps"}, 1)
        with pytest.raises(NewerVersionError, match="of version 1; this program knows 0"):
            migrate(connection, ())
