"""Tables whose cells may span rows and columns, as sentences; used in the worker process only."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from xnai.documents.parsers import label_grid
from xnai.documents.parsers.table import has_headings, row_sentence

MOST_COLUMNS = 1_000
_MOST_CELLS = 2_000_000  # of a table once its spans are filled
_MOST_HEADS = 5


class Cell(NamedTuple):
    """A cell: its text, and how many rows and columns it spans."""

    text: str
    rows: int = 1
    columns: int = 1
    is_heading: bool = False


class SpanGrid(NamedTuple):
    """A table with its spans filled: what stands once for several cells stands in each of them.

    Attributes:
        rows: texts of cells, all rows equally long.
        owners: for each cell the row and column that its text comes from.
        marked: rows at the top that say that they are headings.

    """

    rows: list[list[str]]
    owners: list[list[tuple[int, int]]]
    marked: int


def filled(rows: Iterable[Sequence[Cell]], marked: int = 0) -> SpanGrid:
    """Fill the spans of a table; rows that are headings from end to end count as marked."""
    texts: list[dict[int, str]] = []
    owners: list[dict[int, tuple[int, int]]] = []
    pending: dict[int, tuple[int, str, tuple[int, int]]] = {}  # by column: rows left
    room = _MOST_CELLS
    heads, above = 0, True
    for number, row in enumerate(rows):
        line, owner = {}, {}
        column = 0
        for at, (left, text, whose) in list(pending.items()):
            line[at], owner[at] = text, whose
            pending[at] = (left - 1, text, whose)
            if left <= 1:
                del pending[at]
        for cell in row:
            while column in line:
                column += 1
            if column >= MOST_COLUMNS or room <= 0:
                break
            for at in range(column, min(column + max(cell.columns, 1), MOST_COLUMNS)):
                line[at], owner[at] = cell.text, (number, column)
                room -= 1
                if cell.rows > 1:
                    pending[at] = (cell.rows - 1, cell.text, (number, column))
            column += max(cell.columns, 1)
        above = above and bool(row) and all(cell.is_heading for cell in row)
        heads += above
        texts.append(line)
        owners.append(owner)
    width = max((max(line, default=-1) for line in texts), default=-1) + 1
    columns = range(width)
    return SpanGrid(
        [[line.get(at, "") for at in columns] for line in texts],
        [[owner.get(at, (n, at)) for at in columns] for n, owner in enumerate(owners)],
        max(marked, heads if heads < len(texts) else 0),
    )


def sentences(grid: SpanGrid) -> list[str]:
    """The lines of a table: a caption, and each row with what its cells are."""
    rows, owners, marked = grid
    if len(rows) == 1 or (rows and len(rows[0]) == 1):
        return [line for row in rows if (line := " ".join(filter(None, dict.fromkeys(row))))]
    lines = []
    start = 0
    while start < len(rows) - 1 and _is_one(owners[start]):
        lines += [rows[start][0]] if rows[start][0] else []
        start += 1
    if marked <= start and (form := label_grid.pairs(_once(rows[start:], owners[start:]))):
        return [*lines, *(row_sentence((), pair) for pair in form)]
    heads = _heads(rows[start:], owners[start:], max(marked - start, 0))
    body = start + heads
    head = (
        [_joined(rows[start:body], owners[start:body], at) for at in range(len(rows[0]))]
        if heads
        else []
    )
    for row, owner in zip(rows[body:], owners[body:], strict=True):
        if _is_one(owner):
            lines += [row[0]] if row[0] else []
        elif any(row):
            lines.append(row_sentence(head, _said_once(row, owner)))
    return lines


def _said_once(row: Sequence[str], owners: Sequence[tuple[int, int]]) -> list[str]:
    """A row in which a cell at its beginning that is wider than a column, as of a sum, is one."""
    return ["" if at and owners[at] == owners[0] else cell for at, cell in enumerate(row)]


def _once(
    rows: Sequence[Sequence[str]], owners: Sequence[Sequence[tuple[int, int]]]
) -> list[list[str]]:
    """Rows in which what spans several columns is said in the first of them alone."""
    return [
        ["" if at and owner[at] == owner[at - 1] else cell.strip() for at, cell in enumerate(row)]
        for row, owner in zip(rows, owners, strict=True)
    ]


def _is_one(owners: Sequence[tuple[int, int]]) -> bool:
    """Whether one cell spans a whole row."""
    return len(owners) > 1 and len(set(owners)) == 1


def _heads(
    rows: Sequence[Sequence[str]], owners: Sequence[Sequence[tuple[int, int]]], marked: int
) -> int:
    """How many rows have headings: those that say so, or the first and those below its spans."""
    if marked:
        return min(marked, len(rows) - 1)
    spanned = [len({column for _, column in owner}) < len(owner) for owner in owners]
    heads = 1
    while heads < min(len(rows) - 1, _MOST_HEADS) and spanned[heads - 1]:
        heads += 1
    return heads if heads > 1 or has_headings([row for row in rows if any(row)]) else 0


def _joined(
    rows: Sequence[Sequence[str]], owners: Sequence[Sequence[tuple[int, int]]], column: int
) -> str:
    parts = {owner[column]: row[column] for row, owner in zip(rows, owners, strict=True)}
    return " ".join(filter(None, dict.fromkeys(parts.values())))
