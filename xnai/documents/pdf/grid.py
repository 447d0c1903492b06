"""Tables whose cells are ruled."""

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from xnai.documents.parsers import label_grid
from xnai.documents.parsers.table import has_headings
from xnai.documents.pdf.rules import Edge, Grid
from xnai.documents.pdf.words import Word

Cell = tuple[Word, ...]
Row = tuple[Cell, ...]
Square = tuple[int, int]  # row and column
Band = tuple[float, float]  # left and right end
Font = Callable[[Word], str]  # its name

_NEAR = 3.0  # points
_LEAST_FILLED = 0.4  # of the cells; fewer are those of a chart
_LONGEST = 40  # words in a cell on average; more is a page laid out with boxes
_SMALLER = 0.85  # of the height of what is filled in, that of the label above it
_LEAST_BOXES, _BOXES = 3, 0.6  # with such a label, of those of a form
_FEW_RULES = 4  # lines between rows, beside which each line of text may be a row
_LEAST_LINES = 3  # of text in such a row
_IN_EACH = 0.8  # of its lines have a cell in the first column
_SHORT = 0.75  # of the column's width; text that was broken into lines fills more


class Table(NamedTuple):
    """Words of a page in rows; ``head`` may be empty, and so may be the ``caption`` within.

    Attributes:
        columns: left and right end of each column.
        is_headed: whether the headings look like some; else they are merely the first row.
        is_total: whether it is what stands below another table, such as its sum.

    """

    columns: tuple[Band, ...]
    caption: Cell
    head: Row
    rows: tuple[Row, ...]
    is_headed: bool
    is_total: bool = False

    @property
    def words(self) -> list[Word]:
        """All of its words, some of them more than once."""
        rows = ((self.caption,), self.head, *self.rows)
        return [word for row in rows for cell in row for word in cell]


def texts(row: Sequence[Cell]) -> tuple[str, ...]:
    """What its cells say."""
    return tuple(" ".join(word.text for word in cell) for cell in row)


def ruled(grid: Grid, words: Sequence[Word], font: Font) -> Table | None:
    """The table in a grid; None if it is none. Headings may differ in their ``font``."""
    squares = _squares(grid, words)
    if not squares:
        return None
    owners = _owners(grid)
    regions: dict[Square, list[Word]] = {}
    for square, inside in squares.items():
        regions.setdefault(owners[square], []).extend(inside)
    if form := _form(regions):
        return Table(
            ((grid.xs[0], grid.xs[1]), (grid.xs[1], grid.xs[-1])), (), (), form, is_headed=False
        )
    height, width = range(len(grid.ys) - 1), range(len(grid.xs) - 1)
    # What stands once for several rows or columns is said in each of them.
    cells = [
        [tuple(sorted(regions.get(owners[row, column], ()))) for column in width] for row in height
    ]
    spans = [[owners[row, column][1] for column in width] for row in height]
    caption: Cell = ()
    if len(height) > 1 and len(set(spans[0])) == 1:
        caption = cells.pop(0)[0]
        spans.pop(0)
    if form := _beside(cells, spans):
        return Table(tuple(pairwise(grid.xs[:3])), caption, (), form, is_headed=False)
    heads = _heads(spans)
    head = [_joined(cells[:heads], column) for column in width]
    body = [_told_once(row, span) for row, span in zip(cells[heads:], spans[heads:], strict=True)]
    few = len(grid.ys) - 2 < _FEW_RULES
    body = [line for row in body for line in _split(row, grid, few=few)]
    rows = tuple(tuple(row) for row in body)
    is_headed = bool(caption) or heads > 1
    table = Table(tuple(pairwise(grid.xs)), caption, tuple(head), rows, is_headed)
    if rows and is_set_otherwise(head, rows[0], font):
        return _checked(table._replace(is_headed=True))
    if not is_headed and not has_headings([texts(row) for row in (head, *rows) if any(row)]):
        table = table._replace(head=(), rows=(table.head, *rows))
    return _checked(table)


def _form(regions: dict[Square, list[Word]]) -> tuple[Row, ...]:
    """Labels and values, where each box has its label in small print above; none if it is no form.

    Boxes to fill in have been drawn so for as long as there have been forms.
    """
    filled = [(square, _text_lines(inside)) for square, inside in sorted(regions.items())]
    labelled = [
        len(found) > 1 and found[0][0].height <= _SMALLER * found[1][0].height
        for _, found in filled
    ]
    if sum(labelled) < max(_LEAST_BOXES, _BOXES * len(filled)):
        return ()
    return tuple(
        (tuple(found[0]), tuple(word for line in found[1:] for word in line)) for _, found in filled
    )


def _beside(cells: Sequence[Sequence[Cell]], spans: Sequence[Sequence[int]]) -> tuple[Row, ...]:
    """Labels and values of a form that has them side by side; none if it is no form."""
    once = [
        [() if at and span[at] == span[at - 1] else cell for at, cell in enumerate(row)]
        for row, span in zip(cells, spans, strict=True)
    ]
    if not label_grid.is_form([texts(row) for row in once]):
        return ()
    return tuple(pair for row in once for pair in label_grid.in_row(row, ()) if any(pair))


def is_set_otherwise(head: Sequence[Cell], row: Sequence[Cell], font: Font) -> bool:
    """Whether headings are in another font than the row below them, as bold ones are."""
    above = {font(word) for cell in head[1:] for word in cell}
    below = {font(word) for cell in row[1:] for word in cell}
    return bool(above and below) and all(head[1:]) and not above & below


def _text_lines(words: Sequence[Word]) -> list[list[Word]]:
    found: list[list[Word]] = []
    for word in sorted(words, key=lambda word: -word.y):
        if found and abs(found[-1][0].y - word.y) < word.height / 2:
            found[-1].append(word)
        else:
            found.append([word])
    return [sorted(line, key=lambda word: word.left) for line in found]


def _heads(spans: Sequence[Sequence[int]]) -> int:
    """How many rows are headings: below one that spans several columns there is another."""
    heads = 1
    while heads < len(spans) - 1 and len(set(spans[heads - 1])) < len(spans[0]):
        heads += 1
    return heads


def _squares(grid: Grid, words: Sequence[Word]) -> dict[Square, list[Word]]:
    falling = [-y for y in grid.ys]
    squares: dict[Square, list[Word]] = {}
    for word in words:
        row, column = bisect(falling, -word.y) - 1, bisect(grid.xs, word.x) - 1
        if 0 <= row < len(grid.ys) - 1 and 0 <= column < len(grid.xs) - 1:
            squares.setdefault((row, column), []).append(word)
    return squares


def _owners(grid: Grid) -> dict[Square, Square]:
    """For each square the first one of the cell that it belongs to: no line parts the two."""
    owners: dict[Square, Square] = {}
    downs = [_at(grid.down, x) for x in grid.xs]
    acrosses = [_at(grid.across, y) for y in grid.ys]
    for row in range(len(grid.ys) - 1):
        middle = (grid.ys[row] + grid.ys[row + 1]) / 2
        for column in range(len(grid.xs) - 1):
            centre = (grid.xs[column] + grid.xs[column + 1]) / 2
            owner = (row, column)
            if column and not _is_ruled(downs[column], middle):
                owner = owners[row, column - 1]
            elif row and not _is_ruled(acrosses[row], centre):
                owner = owners[row - 1, column]
            owners[row, column] = owner
    return owners


def _at(edges: Sequence[Edge], place: float) -> list[Edge]:
    return [edge for edge in edges if abs(edge.at - place) <= 2 * _NEAR]


def _is_ruled(edges: Sequence[Edge], where: float) -> bool:
    return any(edge.start <= where <= edge.end for edge in edges)


def _joined(rows: Sequence[Sequence[Cell]], column: int) -> Cell:
    parts = dict.fromkeys(word for row in rows for word in row[column])
    return tuple(parts)


def _told_once(row: Sequence[Cell], owners: Sequence[int]) -> list[Cell]:
    """A row without the repetitions of a cell at its beginning, as that of a sum or a group."""
    return [() if at and owners[at] == owners[0] else cell for at, cell in enumerate(row)]


def _split(row: Sequence[Cell], grid: Grid, *, few: bool) -> list[list[Cell]]:
    """The lines of a row as rows, if the text in it was not merely broken into lines.

    Where more than a ``few`` lines part rows, all columns have to say that there are several.
    """
    lines: list[list[Word]] = []
    for word in sorted((word for cell in row for word in cell), key=lambda word: -word.y):
        if lines and abs(lines[-1][0].y - word.y) < word.height / 2:
            lines[-1].append(word)
        else:
            lines.append([word])
    columns = [set(cell) for cell in row]
    rows = [[tuple(sorted(w for w in line if w in own)) for own in columns] for line in lines]
    if len(rows) < _LEAST_LINES:
        return [list(row)]
    are_rows = _are_rows(rows, grid.xs[1] - grid.xs[0]) if few else _are_rows_of_figures(rows)
    return rows if are_rows else [list(row)]


def _are_rows_of_figures(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether lines have a label each, and a figure in most of the columns behind it."""
    if len(rows[0]) <= _LEAST_LINES or sum(bool(row[0]) for row in rows) < len(rows):
        return False
    needed = _IN_EACH * len(rows)
    figures = [
        sum(len(row[column]) == 1 and row[column][0].text[-1:].isdigit() for row in rows)
        for column in range(1, len(rows[0]))
    ]
    return sum(count >= needed for count in figures) >= _IN_EACH * len(figures)


def _are_rows(rows: Sequence[Sequence[Cell]], width: float) -> bool:
    first = [row[0] for row in rows if row[0]]
    needed = _IN_EACH * len(rows)
    filled = [sum(bool(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    if len(first) < needed or max(filled) < needed:
        return False
    widths = [cell[-1].right - cell[0].left for cell in first]
    return sum(widths) / len(widths) < _SHORT * width


def _checked(table: Table) -> Table | None:
    rows = [row for row in (table.head, *table.rows) if any(row)]
    filled = [cell for row in rows for cell in row if cell]
    if len(rows) < 2 or len(filled) < _LEAST_FILLED * sum(map(len, rows)):  # noqa: PLR2004
        return None
    columns = {column for row in rows for column, cell in enumerate(row) if cell}
    if len(columns) < 2 or sum(map(len, filled)) > _LONGEST * len(filled):  # noqa: PLR2004
        return None
    kept = tuple(row for row in table.rows if any(row))
    return table._replace(rows=kept)
