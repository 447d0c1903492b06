"""The columns of rows that stand below each other."""

from bisect import bisect
from collections.abc import Sequence

from xnai.documents.pdf.aligned_rows import NARROWEST, Visual
from xnai.documents.pdf.grid import Band

_CROSSED = 0.1  # of the rows may have words where columns are parted
_LEAST = 2  # columns of which two may be one
_OF_TWO = 0.4  # heights between two columns, where there is no third
_ONE_MAY_CROSS = 4  # rows of which one may, as headings are wide


def of(run: Sequence[Visual]) -> list[Band]:
    """The columns: where more than a few rows have words."""
    ends = sorted(
        (x, step)
        for row in run
        if len(row) > 1
        for line in row
        for x, step in ((line.left, 1), (line.right, -1))
    )
    several = sum(len(row) > 1 for row in run)
    allowed = max(_CROSSED * several, several >= _ONE_MAY_CROSS)
    height = run[0][0].height
    bands: list[Band] = []
    depth, start = 0, 0.0
    for x, step in ends:
        before, depth = depth, depth + step
        if before <= allowed < depth:
            start = x
        elif depth <= allowed < before:
            if bands and start - bands[-1][1] < NARROWEST * height:
                start = bands.pop()[0]
            bands.append((start, x))
    if len(bands) == _LEAST and bands[1][0] - bands[0][1] < _OF_TWO * height:
        return [(bands[0][0], bands[1][1])]  # as words of prose may leave it by chance
    return _with_their_heads(bands, run) if len(bands) > _LEAST else bands


def _with_their_heads(bands: list[Band], run: Sequence[Visual]) -> list[Band]:
    """Columns, where a heading that stands beside all of its cells is no column of its own."""
    starts = [start for start, _ in bands]
    filled: list[set[int]] = [set() for _ in bands]
    for number, row in enumerate(run):
        for line in row:
            place = bisect(starts, line.x) - 1
            if place >= 0 and line.x <= bands[place][1]:
                filled[place].add(number)
    result, rows = [bands[0]], filled[0]
    for band, own in zip(bands[1:], filled[1:], strict=True):
        if not own:  # the ends of words of two others
            continue
        if not rows & own and 0 in rows | own and min(len(rows), len(own)) == 1:
            result[-1], rows = (result[-1][0], band[1]), rows | own
        else:
            result.append(band)
            rows = own
    return result
