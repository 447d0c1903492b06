"""What the rows of tables are made of, kept while a document is read; worker process only.

Readers write a row as a sentence, and what stands in it can be mistaken for a label. So the cells
are kept beside the sentence, whichever reader wrote it, until the blocks of the page are found.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import NamedTuple

_MOST_CELLS = 1_000_000  # that are kept; beyond, the sentences have to do


class ToldRow(NamedTuple):
    """The labels of the columns, empty if there are none, and the cells of a row."""

    head: tuple[str, ...]
    cells: tuple[str, ...]


class RowLog:
    """The rows of one document by their sentences."""

    def __init__(self) -> None:
        self.rows: dict[str, ToldRow] = {}
        self._head: tuple[str, ...] = ()
        self._room = _MOST_CELLS

    def note(self, sentence: str, head: Sequence[str], cells: Sequence[str]) -> None:
        """Keep what a sentence is made of."""
        if not sentence or self._room < len(cells):
            return
        if tuple(head) != self._head:  # the rows of a table share one
            self._head = tuple(head)
            self._room -= len(self._head)
        self._room -= len(cells)
        self.rows[sentence] = ToldRow(self._head, tuple(cells))


_current: ContextVar[RowLog | None] = ContextVar("row_log", default=None)


def begin() -> None:
    """Keep the rows that are written from now on; this process reads one document.

    No block ends it: where memory has run out, CPython 3.11 crashes in a context manager's end.
    """
    _current.set(RowLog())


def note(sentence: str, head: Sequence[str], cells: Sequence[str]) -> None:
    """Keep what a sentence is made of, where anything is kept."""
    log = _current.get()
    if log is not None:
        log.note(sentence.strip(), head, cells)


def rows() -> Mapping[str, ToldRow]:
    """The rows that were kept so far, by their sentences."""
    log = _current.get()
    return {} if log is None else log.rows
