"""Lists of documents by SQL: filtered, sorted and cut there, so that a long one costs no more."""

import json
from collections.abc import Sequence
from typing import Any

import apsw

from xnai.accounts.rights import seen_by
from xnai.retrieval.document_lists import DocumentQuery, Listed, Shelved
from xnai.retrieval.former import FormerDocument
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import former, records
from xnai.retrieval.index.sqlite.connections import Connections
from xnai.retrieval.libraries import HOME
from xnai.types import Document

_ORDERS = {
    "newest": "d.created_at DESC, d.id DESC",
    "oldest": "d.created_at, d.id",
    "name": "xnai_folded(d.file_name), d.id",
    "size": "d.size DESC, d.id",
    "state": "d.status = 'processed', d.status, d.created_at DESC, d.id",
}
_OF_PERSON = (
    f"FROM documents d WHERE {seen_by('d.owner')} "
    "AND (:collection IS NULL OR d.collection = :collection)"
)
_OF_LIBRARY = (
    "FROM library_documents h JOIN documents d ON d.id = h.document_id "
    "WHERE h.library_id = :library "
    "AND (:folder IS NULL OR h.folder = :folder "
    "OR substr(h.folder, 1, length(:folder) + 1) = :folder || '/') "
    "AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(h.tags) t WHERE t.value = :tag))"
)
_NAMED = "(:words = '' OR instr(xnai_folded(d.file_name), :words))"
_CONTENDERS = (
    f"WHERE {seen_by('owner')} AND collection = :collection "  # noqa: S608 - our own text
    "AND (sha256 = :sha256 "
    "OR replaces <> '[]' OR id IN (SELECT value FROM json_each(:ids)))"
)
_TRANSFER = (
    "INSERT INTO library_documents "
    "(library_id, document_id, added_at, added_by, attributes, folder, tags) "
    "SELECT l.id, h.document_id, h.added_at, h.added_by, h.attributes, h.folder, h.tags "
    "FROM library_documents h JOIN libraries l ON l.id = :target WHERE h.library_id = :source "
    "AND h.document_id IN (SELECT value FROM json_each(:ids)) ON CONFLICT DO NOTHING"
)
_LEAVE = (
    "DELETE FROM library_documents AS h WHERE h.library_id = :source "
    "AND h.document_id IN (SELECT value FROM json_each(:ids)) "
    "AND EXISTS (SELECT 1 FROM library_documents t WHERE t.library_id = :target "
    "AND t.document_id = h.document_id)"
)


class SqliteListing:
    """Implements ``Listing`` on the connections of an index."""

    def __init__(self, connections: Connections, damage: Damage) -> None:
        self._connections = connections
        self._damage = damage

    async def page(self, wanted: DocumentQuery, offset: int, limit: int) -> Listed:
        """Some of a list."""
        values = _values(wanted)
        source = _OF_LIBRARY if wanted.library_id else _OF_PERSON

        def work(connection: apsw.Connection) -> Listed:
            _fold(connection)
            counts = f"SELECT count(*), count(*) FILTER (WHERE {_NAMED}) {source}"
            rows: Any = connection.execute(counts, values)
            everything, count = next(iter(rows))
            ids = _ids(connection, wanted, limit, offset)
            where = {"ids": json.dumps(ids)}
            found = records.documents(
                connection, "WHERE id IN (SELECT value FROM json_each(:ids))", where, self._damage
            )
            by_id = {document.id: document for document in found}
            shown = [by_id[one] for one in ids if one in by_id]
            return Listed(shown, int(count), int(everything))

        return await self._connections.read(work)

    async def ids(self, wanted: DocumentQuery, limit: int) -> list[str]:
        """The ids of a whole list, at most ``limit``."""

        def work(connection: apsw.Connection) -> list[str]:
            _fold(connection)
            return _ids(connection, wanted, limit, 0)

        return await self._connections.read(work)

    async def shelved(self, library_id: str, document_ids: Sequence[str]) -> dict[str, Shelved]:
        """Where documents stand in a library, by their ids."""
        query = (
            "SELECT document_id, folder, tags FROM library_documents WHERE library_id = ? "
            "AND document_id IN (SELECT value FROM json_each(?))"
        )
        row = (library_id, json.dumps(list(document_ids)))

        def work(connection: apsw.Connection) -> dict[str, Shelved]:
            rows: Any = connection.execute(query, row)
            return {one: Shelved(folder, tuple(json.loads(tags))) for one, folder, tags in rows}

        return await self._connections.read(work)

    async def shelves(self, library_id: str) -> tuple[dict[str, int], dict[str, int]]:
        """The folders and the tags of a library, each with how many documents."""
        folders = (
            "SELECT folder, count(*) FROM library_documents WHERE library_id = ? AND folder <> '' "
            "GROUP BY folder ORDER BY folder"
        )
        tags = (
            "SELECT t.value, count(*) FROM library_documents h, json_each(h.tags) t "
            "WHERE h.library_id = ? GROUP BY t.value ORDER BY t.value"
        )

        def work(connection: apsw.Connection) -> tuple[dict[str, int], dict[str, int]]:
            by_folder: Any = connection.execute(folders, (library_id,)).fetchall()
            by_tag: Any = connection.execute(tags, (library_id,)).fetchall()
            return dict(by_folder), dict(by_tag)

        return await self._connections.read(work)

    async def shelve(
        self,
        library_id: str,
        document_ids: Sequence[str],
        folder: str | None = None,
        tags: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> int:
        """Put documents into a folder (None: where they are), with tags added and taken away.

        All of them or, where that is cut off, none; returns how many there were.
        """
        added, taken = (json.dumps([records.encodable(tag) for tag in some]) for some in tags)
        values = {
            "library": library_id,
            "ids": json.dumps(list(document_ids)),
            "folder": folder,
            "added": added,
            "taken": taken,
        }
        update = (
            "UPDATE library_documents SET folder = coalesce(:folder, folder), tags = ("
            "SELECT json_group_array(value) FROM (SELECT value FROM json_each(tags) "
            "UNION SELECT value FROM json_each(:added) "
            "EXCEPT SELECT value FROM json_each(:taken) ORDER BY value)) "
            "WHERE library_id = :library AND document_id IN (SELECT value FROM json_each(:ids))"
        )

        def work(connection: apsw.Connection) -> int:
            connection.execute(update, values)
            return connection.changes()

        return await self._connections.write(work)

    async def transfer(
        self, library_id: str, target_id: str, document_ids: Sequence[str]
    ) -> list[Document]:
        """Have documents of a library stand in another one, and belong there if they did here.

        All of them or, where that is cut off, none; returns those that did stand here.
        """
        values = {"source": library_id, "target": target_id, "ids": json.dumps(list(document_ids))}

        def work(connection: apsw.Connection) -> list[Document]:
            connection.execute(_TRANSFER, values)
            rows: Any = connection.execute(
                "SELECT document_id FROM library_documents WHERE library_id = :target "
                "AND document_id IN (SELECT value FROM json_each(:ids))",
                values,
            )
            ids = [one for (one,) in rows]
            connection.execute(_LEAVE, values)
            home = "SELECT collection FROM documents WHERE id = ?"
            for one in ids:
                if connection.execute(home, (one,)).get == HOME + library_id:
                    records.move(connection, one, HOME + target_id)
            where = {"ids": json.dumps(ids)}
            return records.documents(
                connection, "WHERE id IN (SELECT value FROM json_each(:ids))", where, self._damage
            )

        return await self._connections.write(work)

    async def former(self, document_id: str) -> FormerDocument | None:
        """What became of a document that is gone; None if there never was one."""
        valid = records.encodable(document_id)
        return await self._connections.read(lambda c: former.find(c, valid))

    async def contenders(
        self, belongs: tuple[str, str], sha256: str, ids: Sequence[str]
    ) -> list[Document]:
        """Of an owner's collection: what has a content, is named by id, or replaces others."""
        owner, collection = map(records.encodable, belongs)
        values = {
            "person_id": owner,
            "collection": collection,
            "sha256": sha256,
            "ids": json.dumps(list(ids)),
        }
        return await self._connections.read(
            lambda c: records.documents(c, _CONTENDERS, values, self._damage)
        )


def _ids(connection: apsw.Connection, wanted: DocumentQuery, limit: int, offset: int) -> list[str]:
    source = _OF_LIBRARY if wanted.library_id else _OF_PERSON
    order = _ORDERS[wanted.order]
    query = f"SELECT d.id {source} AND {_NAMED} ORDER BY {order} LIMIT :limit OFFSET :offset"
    rows: Any = connection.execute(query, {**_values(wanted), "limit": limit, "offset": offset})
    return [one for (one,) in rows]


def _values(wanted: DocumentQuery) -> dict[str, str | None]:
    values = {
        "person_id": wanted.person_id,
        "library": wanted.library_id,
        "words": wanted.words.casefold(),
        "collection": wanted.collection,
        "folder": wanted.folder,
        "tag": wanted.tag,
    }
    return {key: value and records.encodable(value) for key, value in values.items()}


def _fold(connection: apsw.Connection) -> None:
    """Have SQL compare names as people do: SQLite's own ``lower`` knows ASCII alone."""
    connection.create_scalar_function("xnai_folded", _folded, 1, deterministic=True)


def _folded(*names: Any) -> str:
    return str(names[0]).casefold()
