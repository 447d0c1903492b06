"""Rows of a table whose cells were broken into several lines; used in the confined process only."""

import re
import statistics
from collections.abc import Sequence
from itertools import pairwise

from xnai.documents.pdf.grid import Cell, Row

_CLOSER = 0.9  # of the distance between rows, that of two lines of one cell
_FURTHER = 1.25  # than the lines of a cell are apart: another row begins
_LEAST_LINES = 3
_LEAST_CELLS = 3  # of a row that small print stands below
_SMALLER = 0.9  # of the height of what it stands below
_BETWEEN = 0.9  # heights from a line to one that stands between it and the next
_TIGHT = 1.2  # heights from one line of a heading to the next
_NEAR = 2.0  # points
_FIGURE = re.compile(r"[\d€$£¥(+\-\u2212\u2013\u2014.%]")  # what a cell of figures begins with


def centred(rows: Sequence[Row]) -> tuple[list[Row], list[int]]:
    """Rows with cells of two lines in one piece, between which those of a single line stand.

    Returns the places of the rows of single lines too.
    """
    result: list[Row] = []
    kept: list[int] = []
    at = 0
    while at < len(rows):
        own = rows[at : at + 3]
        whole = len(own) == 3 and _is_around(own[0], own[1], own[2])  # noqa: PLR2004
        result.append(_together(own) if whole else rows[at])
        kept.append(at + 1 if whole else at)
        at += 3 if whole else 1
    return result, kept


def _is_around(upper: Row, row: Row, lower: Row) -> bool:
    """Whether all cells of two rows have another between them, in columns of its own."""
    filled = [{at for at, cell in enumerate(one) if cell} for one in (upper, row, lower)]
    if not all(filled) or filled[0] != filled[2] or filled[0] & filled[1]:
        return False
    words = [next(word for cell in one for word in cell) for one in (upper, row, lower)]
    return all(0 < a.y - b.y < _BETWEEN * a.height for a, b in pairwise(words))


def with_small_print(rows: Sequence[Row]) -> tuple[list[Row], list[int]]:
    """Rows with what stands in smaller type below their first cell in it, as methods of a test do.

    A second line of a heading goes to it as well. Returns the places of the rows that are left too.
    """
    result: list[Row] = []
    kept: list[int] = []
    for place, row in enumerate(rows):
        filled = [at for at, cell in enumerate(row) if cell]
        if len(filled) == 1 and result and _is_below(result[-1], row, filled[0], len(result) == 1):
            at = filled[0]
            result[-1] = (*result[-1][:at], result[-1][at] + row[at], *result[-1][at + 1 :])
        else:
            result.append(row)
            kept.append(place)
    return result, kept


def _is_below(row: Row, line: Row, at: int, is_first: bool) -> bool:
    """Whether a single cell is the next line of the one above it, and no row of its own."""
    above, below = row[at], line[at]
    if not above or sum(map(bool, row)) < _LEAST_CELLS:
        return False
    step = min(word.y for word in above) - below[0].y
    if at:
        return is_first and 0 < step <= _TIGHT * above[0].height
    smaller = below[0].height <= _SMALLER * above[0].height
    return smaller and 0 < step <= above[0].height and abs(below[0].left - above[0].left) < _NEAR


def unwrapped(rows: Sequence[Row]) -> list[Row]:
    """Rows with what was broken into several lines put together again."""
    blocks = _blocks(rows)
    if blocks:
        return [_together(block) for block in blocks]
    heights = [max(word.y for cell in row for word in cell) for row in rows if any(row)]
    pitch = statistics.median([a - b for a, b in pairwise(heights)] or [0.0])
    result: list[Row] = []
    for row in rows:
        if result and _goes_on(result[-1], row, _CLOSER * pitch):
            result[-1] = tuple(a + b for a, b in zip(result[-1], row, strict=True))
        else:
            result.append(row)
    return result


def _blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows with the lines that their cells go on in; none if these are not set closer.

    Lines close to that of a row, below it or above where cells are centred, may have a word of the
    first cell, but they have fewer cells than it, and no figure.
    """
    if len(rows) < _LEAST_LINES or not all(map(any, rows)):
        return []
    places = [max(word.y for cell in row for word in cell) for row in rows]
    steps = [above - below for above, below in pairwise(places)]
    closest = min(steps)
    if closest <= 0 or max(steps) < _FURTHER * closest:
        return []
    blocks: list[list[Row]] = [[rows[0]]]
    for step, row in zip(steps, rows[1:], strict=True):
        if step >= _FURTHER * closest:
            blocks.append([row])
        else:
            blocks[-1].append(row)
    return blocks if all(map(_is_one_row, blocks)) else []


def _is_one_row(block: Sequence[Row]) -> bool:
    filled = [sum(map(bool, row)) for row in block]
    main = filled.index(max(filled))
    others = [row for at, row in enumerate(block) if at != main]
    if any(count >= filled[main] for at, count in enumerate(filled) if at != main):
        return False
    begins = any(row[0] for row in block) if main else block[0][0]
    return bool(begins) and not any(_is_figure(cell) for row in others for cell in row)


def _is_figure(cell: Cell) -> bool:
    return bool(_FIGURE.match(_text(cell)))


def _together(block: Sequence[Row]) -> Row:
    return tuple(tuple(w for row in block for w in row[at]) for at in range(len(block[0])))


def _goes_on(row: Row, following: Row, pitch: float) -> bool:
    filled = [cell for cell in following if cell]
    if following[0] or not filled or len(filled) > len(following) / 2:
        return False
    if any(_FIGURE.match(_text(cell)) for cell in filled):
        return False
    lowest = min(word.y for cell in row for word in cell)
    return lowest - filled[0][0].y < pitch


def _text(cell: Cell) -> str:
    return " ".join(word.text for word in cell)
