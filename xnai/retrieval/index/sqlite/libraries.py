"""Libraries as rows of the index, so that a search can filter by them in its own SQL."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apsw

from xnai.accounts.sqlite.library_rights import library_seen_by
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import records
from xnai.retrieval.index.sqlite.connections import Connections
from xnai.retrieval.libraries import HOME, NamedLibrary, Standing, own_id
from xnai.types import Document

_COLUMNS = "id, owner, name, folded, created_at, used_at, expires_days, metadata"
_ONE = f"SELECT {_COLUMNS} FROM libraries l WHERE l.id = :id"  # noqa: S608 - our own text
_SEEN = (
    f"SELECT {_COLUMNS} FROM libraries l WHERE {library_seen_by('l')} "  # noqa: S608 - our own text
    "ORDER BY l.created_at, l.id"
)
_SHOWN = (
    "SELECT 1 FROM library_documents h JOIN libraries l ON l.id = h.library_id "  # noqa: S608
    f"WHERE h.document_id = :document AND {library_seen_by('l')} LIMIT 1"
)
_STATES = (
    "SELECT h.library_id, d.status, count(*), sum(d.size) FROM library_documents h "
    "JOIN documents d ON d.id = h.document_id "
    "WHERE h.library_id IN (SELECT value FROM json_each(:ids)) GROUP BY h.library_id, d.status"
)
_MEMBERS = (
    "SELECT library_id, person_id, may FROM library_members "
    "WHERE library_id IN (SELECT value FROM json_each(:ids))"
)
_THERE = "WHERE library_id = :id AND (:one = '' OR document_id = :one)"
_NOTED = (
    "SELECT document_id, attributes FROM library_documents WHERE library_id = :id "
    "AND (:ids IS NULL OR document_id IN (SELECT value FROM json_each(:ids)))"
)
_STANDING = (
    "SELECT document_id, added_at, added_by, attributes "  # noqa: S608 - our own text
    f"FROM library_documents {_THERE} ORDER BY added_at, document_id"
)
_KEPT = (
    "SELECT count(*) FROM documents d WHERE d.owner = ? AND d.collection = ? "
    "AND EXISTS (SELECT 1 FROM library_documents h WHERE h.document_id = d.id)"
)
_KEPT_IN = (
    "WHERE collection = :collection AND EXISTS ("
    "SELECT 1 FROM library_documents h WHERE h.document_id = documents.id)"
)
_ROW = "library_documents (library_id, document_id, added_at, added_by, attributes, folder, tags)"
_INHERIT = (
    f"INSERT INTO {_ROW} SELECT h.library_id, ?, h.added_at, h.added_by, h.attributes, "  # noqa: S608
    "h.folder, h.tags FROM library_documents h "
    "WHERE h.document_id IN (SELECT value FROM json_each(?)) "
    "ON CONFLICT DO NOTHING"
)
_HOMELESS = (
    "SELECT DISTINCT d.owner, d.collection FROM documents d WHERE d.collection LIKE :home || '%' "
    "AND d.owner <> '' AND NOT EXISTS ("
    "SELECT 1 FROM library_documents h WHERE h.document_id = d.id)"
)
_BELONGS = (
    f"INSERT INTO {_ROW} SELECT :id, d.id, d.created_at, d.owner, '{{}}', '', '[]' "  # noqa: S608
    "FROM documents d "
    "WHERE d.collection = :collection AND d.owner = :owner ON CONFLICT DO NOTHING"
)


class SqliteLibraries:
    """Implements ``LibraryTables`` on the connections of an index."""

    def __init__(self, connections: Connections, damage: Damage) -> None:
        self._connections = connections
        self._damage = damage

    async def create(self, library: NamedLibrary) -> bool:
        """Keep a new one; False if its owner has one of that name, or with that id."""
        return await self._connections.write(lambda c: _insert(c, library))

    async def get(self, library_id: str) -> NamedLibrary | None:
        """One of them."""
        values = {"id": records.encodable(library_id)}
        found = await self._connections.read(lambda c: _read(c, _ONE, values))
        return next(iter(found), None)

    async def seen_by(self, person_id: str) -> list[NamedLibrary]:
        """All that somebody may see, oldest first."""
        return await self._connections.read(lambda c: _read(c, _SEEN, {"person_id": person_id}))

    async def change(self, library: NamedLibrary) -> bool:
        """Keep name, expiry, use and metadata; False if it is gone, or the name is taken."""

        def work(connection: apsw.Connection) -> bool:
            connection.execute(
                "UPDATE OR IGNORE libraries SET name = ?, folded = ?, used_at = ?, "
                "expires_days = ?, metadata = ? WHERE id = ?",
                (
                    library.name,
                    library.folded,
                    library.used_at,
                    library.expires_days,
                    json.dumps(dict(library.metadata)),
                    library.id,
                ),
            )
            return connection.changes() > 0

        return await self._connections.write(work)

    async def use(self, library_id: str, at: float) -> None:
        """Note when it was used last."""
        update = "UPDATE libraries SET used_at = max(used_at, ?) WHERE id = ?"
        await self._connections.write(lambda c: c.execute(update, (at, library_id)).fetchall())

    async def noted(
        self, library_id: str, document_ids: Sequence[str] | None
    ) -> dict[str, dict[str, Any]]:
        """The attributes of the documents in it, of some of them or all (None), by their ids."""
        ids = None if document_ids is None else json.dumps(list(document_ids))

        def work(connection: apsw.Connection) -> dict[str, dict[str, Any]]:
            rows: Any = connection.execute(_NOTED, {"id": library_id, "ids": ids})
            return {document_id: json.loads(attributes) for document_id, attributes in rows}

        return await self._connections.read(work)

    async def remove(self, library_id: str) -> bool:
        """Remove it, its members and no document; False if there was none."""

        def work(connection: apsw.Connection) -> bool:
            connection.execute("DELETE FROM libraries WHERE id = ?", (library_id,))
            return connection.changes() > 0

        return await self._connections.remove(work)

    async def put(self, library_id: str, document_id: str, standing: Standing) -> bool:
        """Have a document stand in it; False if one of the two is gone.

        One that does already keeps its place, and gets what is noted of it now.
        """
        attributes = json.dumps(dict(standing.attributes))
        row = (standing.added_at, standing.added_by, attributes, library_id, document_id)

        def work(connection: apsw.Connection) -> bool:
            connection.execute(
                f"INSERT INTO {_ROW} SELECT l.id, d.id, ?, ?, ?, '', '[]' "  # noqa: S608 - our own
                "FROM libraries l JOIN documents d WHERE l.id = ? AND d.id = ? "
                "ON CONFLICT DO UPDATE SET attributes = excluded.attributes",
                row,
            )
            return connection.changes() > 0

        return await self._connections.write(work)

    async def take(self, library_id: str, document_id: str) -> bool:
        """Have a document stand in it no more; False if it did not."""
        row = (records.encodable(library_id), records.encodable(document_id))

        def work(connection: apsw.Connection) -> bool:
            connection.execute(
                "DELETE FROM library_documents WHERE library_id = ? AND document_id = ?", row
            )
            return connection.changes() > 0

        return await self._connections.remove(work)

    async def standing(
        self, library_id: str, document_id: str | None = None
    ) -> list[tuple[Document, Standing]]:
        """The documents in it, or one of them, in the order in which they came."""
        one = None if document_id is None else records.encodable(document_id)
        values = {"id": library_id, "one": one or ""}

        def work(connection: apsw.Connection) -> list[tuple[Document, Standing]]:
            which = f"SELECT document_id FROM library_documents {_THERE}"  # noqa: S608 - our own
            where = f"WHERE id IN ({which})"
            there = records.documents(connection, where, values, self._damage)
            known = {document.id: document for document in there}
            rows: Iterable[Any] = connection.execute(_STANDING, values)
            return [
                (known[document_id], Standing(at, by, json.loads(attributes)))
                for document_id, at, by, attributes in rows
                if document_id in known
            ]

        return await self._connections.read(work)

    async def libraries_of(self, document_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids of the libraries that each document stands in, of those that do."""
        query = (
            "SELECT document_id, json_group_array(library_id) FROM library_documents "
            "WHERE document_id IN (SELECT value FROM json_each(?)) GROUP BY document_id"
        )
        ids = json.dumps(list(document_ids))

        def work(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
            rows: Any = connection.execute(query, (ids,))
            return {document_id: tuple(json.loads(found)) for document_id, found in rows}

        return await self._connections.read(work)

    async def shows(self, person_id: str, document_id: str) -> bool:
        """Whether a document stands in a library that somebody may see."""
        values = {"person_id": person_id, "document": records.encodable(document_id)}
        return await self._connections.read(lambda c: bool(c.execute(_SHOWN, values).get))

    async def kept(self, owner: str, collection: str) -> int:
        """How many documents of an owner's collection stand in a library."""
        row = (owner, collection)
        return await self._connections.read(lambda c: int(c.execute(_KEPT, row).get))

    async def kept_in(self, collection: str) -> list[Document]:
        """The documents of a collection that stand in a library."""
        values = {"collection": collection}
        return await self._connections.read(
            lambda c: records.documents(c, _KEPT_IN, values, self._damage)
        )

    async def inherit(self, document_id: str, former: Sequence[str]) -> None:
        """Have a document stand wherever documents stand whose new version it is."""
        row = (document_id, json.dumps(list(former)))
        await self._connections.write(lambda c: c.execute(_INHERIT, row).fetchall())

    async def move(self, document_id: str, collection: str) -> Document | None:
        """Have a document belong to another collection of its owner; None if it is gone."""

        def work(connection: apsw.Connection) -> list[Document]:
            records.move(connection, document_id, collection)
            return records.documents(connection, "WHERE id = :id", {"id": document_id}, Damage())

        return next(iter(await self._connections.write(work)), None)

    async def restore(self) -> int:
        """Make libraries anew that documents belong to and that are gone; returns how many.

        So it is after an index was made again from the cards of the documents.
        """

        def work(connection: apsw.Connection) -> int:
            made, now = 0, time.time()
            rows: Any = connection.execute(_HOMELESS, {"home": HOME}).fetchall()
            for owner, collection in rows:
                library_id = collection.removeprefix(HOME)
                name, folded = f"Library {library_id[:8]}", f"library {library_id[:8]}"
                if library_id == own_id(owner):
                    name = folded = ""
                library = NamedLibrary(library_id, owner, name, folded, now, now)
                made += _insert(connection, library)
                values = {"id": library_id, "collection": collection, "owner": owner}
                connection.execute(_BELONGS, values)
            return made

        return await self._connections.write(work)


def _insert(connection: apsw.Connection, library: NamedLibrary) -> bool:
    connection.execute(
        f"INSERT INTO libraries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        "ON CONFLICT DO NOTHING",
        (
            library.id,
            library.owner,
            library.name,
            library.folded,
            library.created_at,
            library.used_at,
            library.expires_days,
            json.dumps(dict(library.metadata)),
        ),
    )
    return connection.changes() > 0


def _read(connection: apsw.Connection, query: str, values: Mapping[str, str]) -> list[NamedLibrary]:
    """Libraries with their members, and what stands in them."""
    rows: list[Any] = connection.execute(query, values).fetchall()
    ids = {"ids": json.dumps([row[0] for row in rows])}
    members: dict[str, dict[str, str]] = {}
    for library_id, person_id, right in connection.execute(_MEMBERS, ids):
        members.setdefault(str(library_id), {})[str(person_id)] = str(right)
    states: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    counted: Any = connection.execute(_STATES, ids)
    for library_id, status, count, size in counted:
        states.setdefault(library_id, {})[status] = count
        sizes[library_id] = sizes.get(library_id, 0) + size
    return [
        replace(
            NamedLibrary(*row[:7]),
            metadata=json.loads(row[7]),
            members=members.get(row[0], {}),
            states=states.get(row[0], {}),
            size=sizes.get(row[0], 0),
        )
        for row in rows
    ]
