"""Rows of words that stand below each other with wide gaps: what may be a table without rules."""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from xnai.documents.pdf.words import TextLine

LEAST_ROWS = 3
NEAR = 2.0  # points
NARROWEST = 0.12  # heights between two columns
_WIDE = 0.4  # heights between words, of which the second may begin a cell
_APART = 2.6  # heights between the lines of two rows; more is another table
_SPACED = 4.5  # heights between rows of one table, whose cells stand below each other
_NEAR_SHARE = 0.6  # of the cells of such a row stand below one of the other
_LARGER = 1.3  # than the type of a row: a line is a title
_HEAD_ABOVE = 2.0  # heights from a heading to the row below it at most
_CLOSER = 0.9  # heights between lines that stand beside each other, not below
_LINE = 1.5  # heights from one line of a cell to the next at most
_CAPTION_WORDS = 5
_SMALLER = 0.9  # of the height of what small print stands below
_MORE, _WIDER = 2, 1.6  # columns that another table has, and times the step between rows above it

_PLACES: tuple[Callable[[TextLine], float], ...] = (
    lambda line: line.left,
    lambda line: line.right,
    lambda line: line.x,
)

Visual = list[TextLine]


def visual_rows(found: Sequence[TextLine]) -> list[Visual]:
    """Lines that stand beside each other, from the top of the page."""
    rows: list[Visual] = []
    top = 0.0  # of the row, that of its first line
    for y, line in sorted(((line.y, line) for line in found), key=lambda one: -one[0]):
        if rows and top - y < line.height / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
            top = y
    return [sorted(row, key=lambda line: line.left) for row in rows]


def runs(rows: Sequence[Visual]) -> Iterator[list[Visual]]:
    """Rows of several lines below each other; between them one may have a single short line."""
    run: list[Visual] = []
    before: Visual | None = None
    for row in rows:
        apart = run and _is_apart(run, row)
        single = len(row) == 1
        ends = single and not ((run and _may_belong(run[-1], row[0])) or _may_follow(run, row[0]))
        if apart or ends:
            yield from _whole(run)
            run = []
        if not ends and not (single and not run):
            run += _head_above(before[0], row) if before and not run else []
            run.append(row)
        before = row if single else None
    yield from _whole(run)


def _is_apart(run: Sequence[Visual], row: Visual) -> bool:
    """Whether another table begins: it stands further down, or a little, and has other columns."""
    step = run[-1][0].y - row[0].y
    if step > _APART * row[0].height and not _is_spaced(run[-1], row, step):
        return True
    if len(run) < LEAST_ROWS or len(row) - max(map(len, run)) < _MORE:
        return False
    before = max(above[0].y - below[0].y for above, below in pairwise(run))
    return step > _WIDER * before


def _is_spaced(above: Visual, row: Visual, step: float) -> bool:
    """Whether rows far apart are of one table: the cells of one stand below those of the other."""
    if step > _SPACED * row[0].height or min(len(above), len(row)) < 2:  # noqa: PLR2004 - cells
        return False
    few, many = sorted((above, row), key=len)
    places = [sorted(place(line) for line in many) for place in _PLACES]
    near = sum(
        any(_has_near(own, place(line)) for own, place in zip(places, _PLACES, strict=True))
        for line in few
    )
    return near >= max(2, _NEAR_SHARE * len(few))


def _may_follow(run: Sequence[Visual], line: TextLine) -> bool:
    """Whether a short line may be a label below a second line of a row of several cells."""
    if len(run) < 2 or len(run[-1]) > 1 or len(run[-2]) < LEAST_ROWS:  # noqa: PLR2004 - rows
        return False
    return len(line.words) < _CAPTION_WORDS and abs(run[-2][0].left - line.left) <= NEAR


def _head_above(line: TextLine, row: Visual) -> list[Visual]:
    """The headings in a line without wide gaps above a row; none if it has none.

    Headings may be as wide as their columns: then each begins, or ends, where a cell below does.
    """
    words = line.words
    if not 0 < line.y - row[0].y <= _HEAD_ABOVE * line.height or len(words) < len(row):
        return []
    lefts, rights = sorted(cell.left for cell in row), sorted(cell.right for cell in row)
    begins = [at for at, word in enumerate(words) if _has_near(lefts, word.left)]
    ends = [at + 1 for at, word in enumerate(words) if _has_near(rights, word.right)]
    if len(begins) == len(row) and not begins[0]:
        cuts = [*begins, len(words)]
    elif len(ends) == len(row) and ends[-1] == len(words):
        cuts = [0, *ends]
    else:
        return []
    return [[TextLine(words[start:end]) for start, end in pairwise(cuts)]]


def _may_belong(row: Visual, line: TextLine) -> bool:
    """Whether a line without a wide gap may go on with the table that a row is of.

    It is a label, or goes on with a cell that is not the first, or has a word where one begins or
    ends.
    """
    if line.height > _LARGER * row[0].height:
        return False
    if len(row) > 1 and (len(line.words) < _CAPTION_WORDS or _is_small_print(row, line)):
        return True
    for cell, following in zip(row[1:], [*row[2:], None], strict=False):
        if cell.left - NEAR <= line.left and (not following or line.right < following.left):
            return True
    lefts = sorted(cell.left for cell in row[1:])
    rights = sorted(cell.right for cell in row[1:])
    return any(
        word.left - before.right > _WIDE * word.height
        and (_has_near(lefts, word.left) or _has_near(rights, word.right))
        for before, word in pairwise(line.words)
    )


def _is_small_print(row: Visual, line: TextLine) -> bool:
    """Whether a line says more of the first cell of a row, below it and in smaller type."""
    first, second = row[:2]
    below = 0 < first.y - line.y <= first.height and abs(first.left - line.left) <= NEAR
    return below and line.height <= _SMALLER * first.height and line.right < second.left


def _has_near(places: Sequence[float], x: float) -> bool:
    """Whether one of the places, which are in order, is near."""
    at = bisect(places, x - NEAR)
    return at < len(places) and places[at] < x + NEAR


def _whole(run: list[Visual]) -> Iterator[list[Visual]]:
    while run and len(run[-1]) == 1 and not (len(run) > 1 and _is_of_row(run[-1][0], run[-2])):
        run.pop()
    if sum(len(row) > 1 for row in run) >= LEAST_ROWS:
        yield run


def _is_of_row(line: TextLine, row: Visual) -> bool:
    if _stands_between(line, row):
        return True
    return _ends_cell(line, row) or (len(row) > 1 and _is_small_print(row, line))


def _stands_between(line: TextLine, row: Visual) -> bool:
    """Whether a line is so close below a row that it goes on with a cell, the others centred."""
    close = 0 < row[0].y - line.y < _CLOSER * line.height
    return close and not any(line.left < cell.right and cell.left < line.right for cell in row)


def _ends_cell(line: TextLine, row: Visual) -> bool:
    """Whether a line is the rest of a cell right above, which is not the first of its row."""
    close = 0 < row[0].y - line.y <= _LINE * line.height
    return close and any(abs(cell.left - line.left) <= NEAR for cell in row[1:])
