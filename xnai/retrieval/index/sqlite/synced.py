"""Files of synced folders as rows of the index, true to the documents that they are."""

from collections.abc import Sequence
from typing import Any

import apsw

from xnai.retrieval.index.sqlite import records
from xnai.retrieval.index.sqlite.connections import Connections
from xnai.retrieval.libraries import HOME
from xnai.retrieval.synced import SyncedFile, SyncSource

_COLUMNS = "path, sha256, size, mtime_ns, inode, coalesce(document_id, ''), refused"
_FILES = (
    f"SELECT {_COLUMNS} FROM synced_files "  # noqa: S608 - our own text
    "WHERE library_id = :library AND source = :source AND (:path IS NULL OR path = :path)"
)
_PUT = (
    "INSERT INTO synced_files "
    "(library_id, source, path, sha256, size, mtime_ns, inode, document_id, refused) "
    "SELECT l.id, :source, :path, :sha256, :size, :mtime_ns, :inode, nullif(:document, ''), "
    ":refused FROM libraries l WHERE l.id = :library "
    "AND (:document = '' OR EXISTS (SELECT 1 FROM documents WHERE id = :document)) "
    "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, size = excluded.size, "
    "mtime_ns = excluded.mtime_ns, inode = excluded.inode, document_id = excluded.document_id, "
    "refused = excluded.refused"
)
_STAND = (
    "INSERT INTO library_documents "
    "(library_id, document_id, added_at, added_by, attributes, folder) "
    "SELECT :library, d.id, d.created_at, :by, '{}', :folder FROM documents d "
    "WHERE d.id = :document ON CONFLICT DO NOTHING"
)
_MOVED = (
    "UPDATE OR IGNORE synced_files SET path = :path, sha256 = :sha256, size = :size, "
    "mtime_ns = :mtime_ns, inode = :inode "
    "WHERE library_id = :library AND source = :source AND path = :before"
)
_FOLDER = (
    "UPDATE library_documents SET folder = :folder WHERE library_id = :library "
    "AND document_id = (SELECT document_id FROM synced_files WHERE library_id = :library "
    "AND source = :source AND path = :path)"
)
_ALIKE = (
    "SELECT d.id FROM documents d WHERE d.sha256 = :sha256 AND d.collection = :home || :library "
    "AND d.status <> 'missing' AND EXISTS (SELECT 1 FROM library_documents h "
    "WHERE h.library_id = :library AND h.document_id = d.id) AND NOT EXISTS ("
    "SELECT 1 FROM documents n WHERE n.collection = d.collection AND n.replaces <> '[]' "
    "AND n.status <> 'error' AND d.id IN (SELECT value FROM json_each(n.replaces))) LIMIT 1"
)


class SqliteSynced:
    """Implements ``SyncTables`` on the connections of an index."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def files(self, source: SyncSource) -> list[SyncedFile]:
        """All that were there when the folder was looked at last."""
        return await self._read(source, None)

    async def file(self, source: SyncSource, path: str) -> SyncedFile | None:
        """One of them."""
        return next(iter(await self._read(source, path)), None)

    async def _read(self, source: SyncSource, path: str | None) -> list[SyncedFile]:
        values = {"library": source.library_id, "source": source.name, "path": path}

        def work(connection: apsw.Connection) -> list[SyncedFile]:
            rows: Any = connection.execute(_FILES, values)
            return [SyncedFile(*row) for row in rows]

        return await self._connections.read(work)

    async def put(self, source: SyncSource, file: SyncedFile, folder: str, by: str) -> bool:
        """Keep what a file is, with its document in the library; False if one of them is gone."""
        values = _values(source, file) | {"folder": folder, "by": by}

        def work(connection: apsw.Connection) -> bool:
            connection.execute(_PUT, values)
            if not connection.changes():
                return False
            if file.document_id:
                connection.execute(_STAND, values)
            return True

        return await self._connections.write(work)

    async def move(self, source: SyncSource, before: str, file: SyncedFile, folder: str) -> bool:
        """Have a file be known under another path, and its document stand in that folder.

        False if it was not known, or something is known under the other path.
        """
        values = _values(source, file) | {"folder": folder, "before": before}

        def work(connection: apsw.Connection) -> bool:
            connection.execute(_MOVED, values)
            if not connection.changes():
                return False
            connection.execute(_FOLDER, values)
            return True

        return await self._connections.write(work)

    async def forget(self, source: SyncSource, paths: Sequence[str]) -> None:
        """Keep nothing of some files; their documents stay."""
        delete = "DELETE FROM synced_files WHERE library_id = ? AND source = ? AND path = ?"
        rows = [(source.library_id, source.name, path) for path in paths]
        await self._connections.write(lambda c: c.executemany(delete, rows).fetchall())

    async def alike(self, library_id: str, sha256: str) -> str:
        """The id of a document of the library's own that has a content; empty if none has."""
        values = {"library": library_id, "sha256": sha256, "home": HOME}
        return await self._connections.read(lambda c: str(c.execute(_ALIKE, values).get or ""))

    async def paths_of(self, document_id: str) -> list[str]:
        """Under which paths a document is known, of every folder."""
        query = "SELECT path FROM synced_files WHERE document_id = ? ORDER BY path"

        def work(connection: apsw.Connection) -> list[str]:
            rows: Any = connection.execute(query, (document_id,))
            return [path for (path,) in rows]

        return await self._connections.read(work)

    async def rename(self, document_id: str, file_name: str) -> bool:
        """Give a document another name; False if it is gone."""
        update = "UPDATE documents SET file_name = ? WHERE id = ?"
        row = (records.encodable(file_name), document_id)

        def work(connection: apsw.Connection) -> bool:
            connection.execute(update, row)
            return connection.changes() > 0

        return await self._connections.write(work)


def _values(source: SyncSource, file: SyncedFile) -> dict[str, str | int]:
    return {
        "library": source.library_id,
        "source": source.name,
        "path": file.path,
        "sha256": file.sha256,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "inode": file.inode,
        "document": file.document_id,
        "refused": file.refused,
    }
