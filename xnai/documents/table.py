"""Tables as sentences: each row says of its cells what they are.

The retrieval works with sentences, and a small model is given one: a row without its headings
answers nothing, and one that is a line of a grid is run together with its neighbours.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

STOP = "."
_ENDS = tuple(".!?:;")
_DIVIDER = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\s*")
_BORDER = re.compile(r"(?<!\\)\|")
_DIGIT = re.compile(r"\d")
_FIGURE = re.compile(r"[^\w\s]*\d[\d.,:/\s]*\W*\w{0,3}\W*")  # with a sign, a currency or a unit
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_MOST_TITLES = 20  # rows of one cell above a table; more are a list

_FIGURES = 0.75  # of the cells under a heading, where the row above could be a pair
_LOOKED_AT = 8  # rows from which it is told whether the first has headings


def label(heading: str) -> str:
    """What stands before a cell; nothing for a column without a heading."""
    return f"{heading.rstrip(' :')}: " if heading.strip(" :") else ""


def stop(last: str) -> str:
    """What ends a row whose last cell is known: one full stop."""
    return "" if last.endswith(_ENDS) else STOP


def labels(head: Sequence[str], cells: Sequence[str]) -> list[str]:
    """What stands before each cell of a row; without headings the first of two names the other."""
    if len(cells) == 2 and not any(map(label, head)) and cells[0]:  # noqa: PLR2004 - two columns
        return ["", ""]
    return [label(heading) for heading in (*head, *[""] * len(cells))][: len(cells)]


def between(head: Sequence[str], cells: Sequence[str]) -> str:
    """What parts the cells of a row."""
    is_pair = len(cells) == 2 and all(cells) and not any(map(label, head))  # noqa: PLR2004
    return ": " if is_pair else "; "


def row_sentence(head: Sequence[str], cells: Sequence[str]) -> str:
    """Write a row as ``Town: Norwick; Mayor: Ada Holm.``; empty cells are left out."""
    parts = [before + cell for before, cell in zip(labels(head, cells), cells, strict=True) if cell]
    return between(head, cells).join(parts) + stop(parts[-1]) if parts else ""


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


class _Grid:
    """Rows that become sentences when it is known whether the first one has headings."""

    def __init__(self, first: list[str]) -> None:
        self._held = [first]
        self._head: list[str] | None = None

    def add(self, row: list[str]) -> list[str]:
        """Take a row; gives what can be written by now."""
        if self._head is not None:
            return [row_sentence(self._head, row)]
        self._held.append(row)
        return self.settled() if len(self._held) > _LOOKED_AT else []

    def settled(self) -> list[str]:
        """What was held back."""
        if self._head is not None:
            return []
        self._held = [row for row in self._held if any(row)]
        self._head = self._held.pop(0) if has_headings(self._held) else []
        return [row_sentence(self._head, row) for row in self._held]


def linearized(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a sheet, one for each row that is not empty; the first row has the headings.

    What stands alone in the rows above the headings is text. After an empty row, a row of several
    words without a figure begins another table.
    """
    grid: _Grid | None = None
    is_apart = False
    for cells in _titled(rows):
        if not cells:
            is_apart = True
        elif isinstance(cells, _Title):
            yield cells[0]
        elif grid is None or (is_apart and _are_headings(cells)):
            if grid is not None:
                yield from [*grid.settled(), ""]
            grid, is_apart = _Grid(cells), False
        else:
            yield from grid.add(cells)
            is_apart = False
    if grid is not None:
        yield from grid.settled()


class _Title(list[str]):
    """A row of one cell that is text."""


def _titled(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Rows as cells; those of one cell before the first of several are titles."""
    above: list[list[str]] | None = []
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if above is None:
            yield cells
        elif len([cell for cell in cells if cell]) > 1:
            yield from _titles(above)
            yield cells
            above = None
        else:
            above.append(cells)
            if len(above) > _MOST_TITLES:  # a list; it may be as long as the file
                yield from _titles(above)
                above = []
    yield from _titles(above or ())


def _titles(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    return (_Title([cell for cell in row if cell]) for row in rows if row)


def _are_headings(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and all(cells) and not any(_DIGIT.search(cell) for cell in cells)


def _cell(value: str) -> str:
    return " ".join(value.split())


def linearized_markdown(markdown: str) -> str:
    """A text whose grids have become sentences."""
    lines = markdown.split("\n")
    result: list[str] = []
    grid: _Grid | None = None
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and _DIVIDER.fullmatch(following):
            result += grid.settled() if grid is not None else []
            grid = _Grid(_cells(line))
        elif grid is not None and line.startswith("|"):
            result += [] if _DIVIDER.fullmatch(line) else grid.add(_cells(line))
        else:
            result += grid.settled() if grid is not None else []
            grid = None
            result.append(line)
    return "\n".join(result + (grid.settled() if grid is not None else []))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [_cell(cell).replace("\\|", "|") for cell in _BORDER.split(inner)]
