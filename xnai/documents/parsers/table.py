"""Tables as sentences: each row says of its cells what they are.

The retrieval works with sentences, and a small model is given one: a row without its headings
answers nothing, and one that is a line of a grid is run together with its neighbours.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from xnai.documents.parsers import label_grid, row_log

STOP = "."
_ENDS = tuple(".!?:;")
_DIGIT = re.compile(r"\d")
# With a sign, a currency or a unit. Possessive, since a colon could belong to any of its parts.
_FIGURE = re.compile(r"[^\w\s]*+\d[\d.,:/\s]*+\W*+\w{0,3}+\W*+")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_LONGEST_LABEL = 200  # characters; it stands in every row
_MOST_HEADS = 4  # rows of headings

_FIGURES = 0.75  # of the cells under a heading, where the row above could be a pair
LOOKED_AT = 8  # rows from which it is told whether the first has headings


def label(heading: str) -> str:
    """What stands before a cell; nothing for a column without a heading."""
    named = heading[:_LONGEST_LABEL].rstrip(" :")
    return f"{named}: " if named.strip(" :") else ""


def stop(last: str) -> str:
    """What ends a row whose last cell is known: one full stop."""
    return "" if last.endswith(_ENDS) else STOP


def labels(head: Sequence[str], cells: Sequence[str]) -> list[str]:
    """What stands before each cell of a row; without headings the first of two names the other."""
    if _is_pair(head, cells) and cells[0]:
        return ["", ""]
    # Not a step for each heading: a sheet may have thousands of them above rows of one cell.
    named = [label(heading) for heading in head[: len(cells)]]
    return named + [""] * (len(cells) - len(named))


def between(head: Sequence[str], cells: Sequence[str], before: str) -> str:
    """What parts the cells of a row; ``before`` is what stands before, which may be a label."""
    if before.endswith(":"):
        return " "
    return ": " if all(cells[:2]) and _is_pair(head, cells) else "; "


def _is_pair(head: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a row has two cells, and no heading above them."""
    return len(cells) == 2 and not any(map(label, head[:2]))  # noqa: PLR2004 - two columns


def row_sentence(head: Sequence[str], cells: Sequence[str]) -> str:
    """Write a row as ``Town: Norwick; Mayor: Ada Holm.``; empty cells are left out."""
    text = ""
    for before, cell in zip(labels(head, cells), cells, strict=True):
        if cell:
            text += (between(head, cells, text) if text else "") + before + cell
    text += stop(text) if text else ""
    row_log.note(text, head, cells)
    return text


def has_headings(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows has headings.

    Of two columns the first may name what is in the second; then there are none. Nor are there any
    where a figure stands on top of figures, unless it is a year.
    """
    if len(rows) < 2:  # noqa: PLR2004 - headings and a row
        return False
    width = max(map(len, rows))
    if width > 2:  # noqa: PLR2004 - columns
        return not any(
            _is_figure(rows[0][column]) and _has_figures(rows[1:], column)
            for column in range(len(rows[0]))
        )
    return not any(map(_DIGIT.search, rows[0])) and _has_figures(rows[1:], 1)


def are_above_figures(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has no figure, but a column below it has: then it has headings."""
    width = max(map(len, rows), default=0)
    below = any(_has_figures(rows[1:], column) for column in range(width))
    return below and not any(map(_DIGIT.search, rows[0]))


def _has_figures(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in rows if len(row) > column]
    return bool(cells) and sum(map(bool, map(_DIGIT.search, cells))) >= _FIGURES * len(cells)


def _is_figure(cell: str) -> bool:
    return bool(_FIGURE.fullmatch(cell)) and not _YEAR.fullmatch(cell)


def linearized(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a sheet, one for each row that is not empty, with the headings of its columns.

    What stands alone in the rows above headings is text. After an empty row there may be another
    table, with headings of its own, in one row or in several.
    """
    head: list[str] | None = None
    start: list[list[str]] = []
    in_start = True
    figures = _Figures()
    for row in rows:
        cells = _trimmed(row)
        if not in_start and cells:
            yield figures.sentence(head or [], cells)
            continue
        if cells:
            start.append(cells)
        if start and (not cells or len(start) > LOOKED_AT):
            block = _Block(start, head, figures)
            yield from block.lines
            head, start = block.head, []
            in_start = block.is_list
        in_start = in_start or not cells
    if start:
        yield from _Block(start, head, figures).lines


class _Figures:
    """Which columns of a table have figures: what stands in one and is none names a sum."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}  # by column: figures, and all cells

    def sentence(self, head: Sequence[str], cells: Sequence[str]) -> str:
        """A row with the labels of its columns; of a sum below a table, what it is and how much."""
        filled = [at for at, cell in enumerate(cells) if cell]
        if len(filled) == 2 and filled[0] and self._is_sum(cells, *filled):  # noqa: PLR2004
            return row_sentence((), [cells[at] for at in filled])
        for at in filled:
            figures, all_cells = self._counts.get(at, (0, 0))
            self._counts[at] = (figures + _is_figure(cells[at]), all_cells + 1)
        return row_sentence(head, cells)

    def _is_sum(self, cells: Sequence[str], name: int, value: int) -> bool:
        if _is_figure(cells[name]) or not _DIGIT.search(cells[value]):
            return False
        figures, all_cells = self._counts.get(name, (0, 0))
        return figures > 1 and figures == all_cells


def _trimmed(row: Sequence[str]) -> list[str]:
    cells = [_cell(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


class _Block:
    """The first rows after an empty one, of at least one cell each.

    Attributes:
        lines: what they say.
        head: the headings that hold from there on; None: there was no table yet.
        is_list: whether no row had several cells, so that a table may still begin.

    """

    def __init__(
        self, rows: Sequence[list[str]], former: list[str] | None, figures: _Figures
    ) -> None:
        titles = 0
        while (
            titles < len(rows) and _filled(rows[titles]) == 1 and not _begins_as_row(rows, titles)
        ):
            titles += 1
        table = rows[titles:]
        self.is_list = not table
        self.lines = [next(filter(None, row)) for row in rows[:titles]]
        self.head = former
        if not table:
            # Rows of one cell below a table are rows of it all the same.
            self.lines = [row_sentence(former, row) for row in rows] if former else self.lines
            return
        if (former is None or titles) and (form := label_grid.pairs(table)):
            self.head = []
            self.lines += [row_sentence((), pair) for pair in form]
            return
        heads = _count_heads(table, is_first=former is None or titles > 0)
        if heads or former is None or titles:
            self.head = _joined(table[:heads])
            if former is not None:
                self.lines.insert(0, "")
        self.lines += [figures.sentence(self.head or [], row) for row in table[heads:]]


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, row))


def _begins_as_row(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a row of one cell is a heading above several: not its first cell is filled."""
    return not rows[at][0] and at + 1 < len(rows) and _filled(rows[at + 1]) > 1


def _count_heads(rows: Sequence[Sequence[str]], *, is_first: bool) -> int:
    """How many rows at the top have headings.

    Below a row that leaves columns open another may name these, before the first figure.
    """
    text = 0
    while text < len(rows) and not any(map(_is_figure, rows[text])):
        text += 1
    heads = 1
    while heads < min(text, len(rows) - 1, _MOST_HEADS) and _names_more(
        rows[heads - 1], rows[heads]
    ):
        heads += 1
    if heads > 1 and text < len(rows):
        return heads
    if is_first:
        return int(has_headings(rows))
    return int(len(rows) > 1 and text > 0 and (_are_headings(rows[0]) or _is_above(rows)))


def _names_more(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether a row leaves columns open that the one below it names."""
    padded = [*row, *[""] * len(below)]
    return any(cell and not above for cell, above in zip(below, padded, strict=False))


def _is_above(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row without figures, of several cells, stands above figures."""
    columns = range(1, len(rows[0]))
    return _filled(rows[0]) > 1 and text_above_figures(rows, columns)


def text_above_figures(rows: Sequence[Sequence[str]], columns: Iterable[int]) -> bool:
    """Whether most cells below some cell of the first row, in one of these columns, are figures."""
    return any(rows[0][column] and _has_figures(rows[1:], column) for column in columns)


def _joined(rows: Sequence[Sequence[str]]) -> list[str]:
    """Headings of several rows as one; what stands above several columns holds for each."""
    width = max(map(len, rows), default=0)
    head = [""] * width
    for number, row in enumerate(rows):
        held = ""
        for column in range(width):
            cell = row[column] if column < len(row) else ""
            is_last = number == len(rows) - 1
            held = cell if cell or is_last else (held if column > 1 or held else "")
            if held and held not in head[column].split("\n"):
                head[column] = "\n".join(filter(None, (head[column], held)))
    return [" ".join(label.split("\n")) for label in head]


def _are_headings(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and all(cells) and not any(_DIGIT.search(cell) for cell in cells)


def _cell(value: str) -> str:
    return " ".join(value.split())
