"""Rows that can be read, where others cannot: one flipped byte hides no more than its row."""

import zlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import apsw

# A flipped byte shows as a page that is none, as text that is no UTF-8, or as a value of another
# kind.
UNREADABLE = (apsw.CorruptError, UnicodeDecodeError, ValueError, TypeError, KeyError)

T = TypeVar("T")


def checksum(text: str) -> int:
    """Return what is kept beside a text to know it again."""
    return zlib.crc32(text.encode())


def rows_of(  # noqa: PLR0913, PLR0917 - two ways to read the same rows
    connection: apsw.Connection,
    query: str,
    values: Any,
    one_by_one: Callable[[], Iterable[tuple[object, Any]]],
    make: Callable[[Any], T],
    unreadable: Callable[[object], None],
) -> list[T]:
    """Return what is made of the rows of a query, without those that cannot be read.

    Args:
        connection: of the transaction.
        query: gives all rows at once.
        values: its bindings.
        one_by_one: gives the key of each row and a query's row for it, or the error in its place.
        make: makes something of a row; what it cannot be made of counts as unreadable.
        unreadable: told the key of each row that was left out.

    """
    try:
        return [make(row) for row in connection.execute(query, values).fetchall()]
    except UNREADABLE:
        found: list[T] = []
        for key, row in one_by_one():
            try:
                if isinstance(row, Exception):
                    raise row
                found.append(make(row))
            except UNREADABLE:
                unreadable(key)
        return found


def one_by_one(
    connection: apsw.Connection, query: str, keys: Iterable[object], *values: object
) -> Iterable[tuple[object, Any]]:
    """Ask for rows by their keys, each for itself; a key without a row gives nothing.

    ``values`` are bound before the key.
    """
    for key in keys:
        try:
            row = connection.execute(query, (*values, key)).fetchone()
        except UNREADABLE as exc:
            yield key, exc
        else:
            if row is not None:
                yield key, row
