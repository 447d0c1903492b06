"""The text of an RTF file while it is read; used in the worker process only."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.spans import Cell, filled, sentences
from xnai.errors import FILE_TEXT_TOO_LONG

CODEPAGE = "cp1252"
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_HEADING = 6
_SAME_EDGE = 60  # twentieths of a point between two cells that end alike


class RtfCell(NamedTuple):
    """A cell: its text, where it ends, and whether it goes on with the one above or before it."""

    text: str
    right: int
    merged: str


@dataclass
class RtfText:
    """What was read so far."""

    limit: int
    codec: str = CODEPAGE
    blocks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asides: dict[str, None] = field(default_factory=dict)  # headers, footers, comments
    rows: list[list[RtfCell]] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    edges: list[tuple[int, str]] = field(default_factory=list)  # of the cells of a row
    merged: str = ""  # what the next cell goes on with
    text: list[str] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)  # bytes of the code page, not decoded yet
    in_table: bool = False
    outline: int = -1
    tables: int = 0
    length: int = 0

    def put(self, text: str) -> None:
        """Write text."""
        self.flush()
        self.text.append(text)
        self.length += len(text)
        if self.length > self.limit:
            raise Failure(FILE_TEXT_TOO_LONG, limit=self.limit)

    def flush(self) -> None:
        """Decode the bytes that are waiting."""
        if self.raw:
            data, self.raw = bytes(self.raw), bytearray()
            self.put(data.decode(self.codec, "replace"))

    def taken(self) -> str:
        """The text of what ends here."""
        self.flush()
        said, self.text = "".join(self.text).strip(), []
        if _SURROGATE.search(said):  # a character in two words
            said = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return said

    def paragraph(self) -> None:
        """End a paragraph."""
        if self.in_table:
            self.put(" ")
            return
        self.table()
        text = self.taken()
        if text and 0 <= self.outline < _MOST_HEADING:
            text = f"{'#' * (self.outline + 1)} {' '.join(text.split())}"
        if text:
            self.blocks.append(text)

    def cell(self) -> None:
        """End a cell."""
        self.cells.append(" ".join(self.taken().split()))

    def row(self) -> None:
        """End a row; a cell that goes on with another has its text."""
        above = {cell.right: cell.text for cell in self.rows[-1]} if self.rows else {}
        row: list[RtfCell] = []
        for at, text in enumerate(self.cells):
            right, merged = self.edges[at] if at < len(self.edges) else (at, "")
            if merged == "above":
                text = text or above.get(right, "")  # noqa: PLW2901
            elif merged == "before" and row:
                text = text or row[-1].text  # noqa: PLW2901
            row.append(RtfCell(text, right, merged))
        if row:
            self.rows.append(row)
        self.cells = []

    def table(self) -> None:
        """End a table, if there is one; cells are as wide as the columns that they reach over."""
        rows, self.rows = self.rows, []
        if not rows:
            return
        self.tables += 1
        edges: list[int] = []
        for right in sorted({cell.right for row in rows for cell in row}):
            if not edges or right - edges[-1] > _SAME_EDGE:
                edges.append(right)
        if any(len(row) > len(edges) for row in rows):
            said = sentences(filled([[Cell(cell.text) for cell in row] for row in rows]))
        else:
            said = sentences(filled([_spanning(row, edges) for row in rows]))
        self.blocks.append("\n".join(said))


def _spanning(row: Sequence[RtfCell], edges: Sequence[int]) -> list[Cell]:
    cells: list[Cell] = []
    before = 0
    for cell in row:
        reached = bisect_right(edges, cell.right)
        cells.append(Cell(cell.text, 1, max(reached - before, 1)))
        before = max(reached, before + 1)
    return cells
