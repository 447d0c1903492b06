"""Rows that stand below each other, parted where one table ends and another begins.

Blocks beside each other, as the addresses and the particulars of an invoice, are told by the order
in which they were drawn; tables below each other by their columns.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from xnai.documents.pdf import column_bands
from xnai.documents.pdf.aligned_rows import LEAST_ROWS, Visual, runs
from xnai.documents.pdf.grid import Band
from xnai.documents.pdf.words import TextLine

_LEAST_HEADS = 3  # a row of two may be a label and its value
_LOOKED_AT = 4  # rows below headings
_MOST_DEPTH = 6  # parts within parts
_MOST_BANDS = 40  # that are looked at
_MOST_HEADS = 20  # rows of a run that are looked at
_LABEL_AND_FIGURE = 2  # lines of a total
_WORD = re.compile(r"[^\W\d_]{2}")
_DIGIT = re.compile(r"\d")


def parted(run: list[Visual], deep: int = 0) -> Iterator[list[Visual]]:
    """Rows as those of one table each."""
    parts = (_beside(run) or _below(run)) if deep < _MOST_DEPTH else []
    if not parts:
        yield run
    for part in parts:
        yield from parted(part, deep + 1)


def without_totals(run: list[Visual]) -> tuple[list[Visual], list[Visual]]:
    """Rows, and those below them that are no rows of their table: a label and its figure each."""
    last = len(run)
    while last and _is_label_and_figure(run[last - 1]):
        last -= 1
    body, tail = run[:last], run[last:]
    if not tail or sum(len(row) > _LABEL_AND_FIGURE for row in body) < LEAST_ROWS - 1:
        return run, []
    own = column_bands.of(body)
    if len(own) <= _LABEL_AND_FIGURE:
        return run, []
    if len(column_bands.of(run)) < len(own):  # they are wider than its columns
        return body, tail
    start = len(run)
    while start > last and run[start - 1][0].left > own[0][1]:
        start -= 1
    return run[:start], run[start:]


def _is_label_and_figure(row: Visual) -> bool:
    if len(row) != _LABEL_AND_FIGURE:
        return False
    return bool(_WORD.search(row[0].text)) and _has_figure(row[1])


def _has_figure(line: TextLine) -> bool:
    return bool(_DIGIT.search(line.text))


def _beside(run: Sequence[Visual]) -> list[list[Visual]]:
    """The blocks beside each other; none if the rows go through all of them.

    One was drawn as a whole before the other, and one of them row by row: a table may be drawn
    column by column.
    """
    bands = column_bands.of(run)
    for before, after in pairwise(bands[:_MOST_BANDS]):
        border = (before[1] + after[0]) / 2
        sides = [
            [part for row in run if (part := [one for one in row if (one.x > border) == is_right])]
            for is_right in (False, True)
        ]
        if min(map(len, sides)) < LEAST_ROWS or not _is_drawn_before(*sides):
            continue
        if any(_is_drawn_in_rows(side) for side in sides):
            return [part for side in sides for part in runs(side)]
    return []


def _is_drawn_before(left: Sequence[Visual], right: Sequence[Visual]) -> bool:
    return max(map(_last, left)) < min(map(_first, right))


def _is_drawn_in_rows(rows: Sequence[Visual]) -> bool:
    """Whether rows of several cells were drawn one after the other."""
    wide = [row for row in rows if len(row) > 1]
    return len(wide) > 1 and all(_last(above) < _first(below) for above, below in pairwise(wide))


def _first(row: Visual) -> int:
    return min(line.words[0].first for line in row)


def _last(row: Visual) -> int:
    return max(line.words[-1].last for line in row)


def _below(run: list[Visual]) -> list[list[Visual]]:
    """The tables below each other; none if it is one.

    The second begins with headings, and either has columns that both do not have.
    """
    found = [
        at
        for at in range(LEAST_ROWS - 1, len(run) - 1)
        if _are_headings(run[at : at + 1 + _LOOKED_AT])
    ]
    whole = column_bands.of(run) if found else []
    for at in found[:_MOST_HEADS]:
        upper, lower = run[:at], run[at:]
        own = [column_bands.of(part) for part in (upper, lower)]
        names_more = len(own[0]) < min(len(own[1]), len(run[at]))
        if names_more or not all(_fit(bands, whole) for bands in own):
            return [upper, lower]
    return []


def _fit(bands: Sequence[Band], whole: Sequence[Band]) -> bool:
    """Whether each of the columns is one of the whole, and no two are the same."""
    places = [
        [at for at, other in enumerate(whole) if band[0] < other[1] and other[0] < band[1]]
        for band in bands
    ]
    return all(len(own) == 1 for own in places) and len(set(map(tuple, places))) == len(places)


def _are_headings(rows: Sequence[Visual]) -> bool:
    """Whether a row of words has figures below it, and as many cells as any below it."""
    first, following = rows[0], rows[1:]
    if len(first) < _LEAST_HEADS or any(map(_has_figure, first)):
        return False
    if not all(_WORD.search(line.text) for line in first):
        return False
    figures = sum(any(map(_has_figure, row[1:])) for row in following)
    return figures > len(following) / 2 and len(first) >= max(map(len, following))
