"""Rows of a table whose cells were broken into several lines; used in the confined process only."""

import re
import statistics
from collections.abc import Sequence
from itertools import pairwise

from xnai.documents.pdf.grid import Cell, Row

_CLOSER = 0.9  # of the distance between rows, that of two lines of one cell
_FIGURE = re.compile(r"[\d€$£¥(+\-\u2212\u2013\u2014.%]")  # what a cell of figures begins with


def unwrapped(rows: Sequence[Row]) -> list[Row]:
    """Rows with what was broken into several lines put together again."""
    heights = [max(word.y for cell in row for word in cell) for row in rows if any(row)]
    pitch = statistics.median([a - b for a, b in pairwise(heights)] or [0.0])
    result: list[Row] = []
    for row in rows:
        if result and _goes_on(result[-1], row, _CLOSER * pitch):
            result[-1] = tuple(a + b for a, b in zip(result[-1], row, strict=True))
        else:
            result.append(row)
    return result


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
