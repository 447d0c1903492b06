"""Columns of a page that were drawn row by row, read one after the other."""

from bisect import bisect, bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise

from xnai.documents.pdf.words import TextLine, Word, lines

_GAP = 1.2  # heights between words; a wider one parts two columns
_LEAST_LINES = 4  # of each column
_LEAST_WORDS = 2.5  # in a line of a column, on average; fewer are cells of a table
_CROSSING = 0.25  # of the lines may be as wide as the page
_ALTERNATE = 0.5  # of the lines of the shorter column are followed by one of the other


def ordered(words: Sequence[Word], free: Collection[int]) -> list[Word]:
    """Words in the order of reading; ``free`` are the first characters of those in no table."""
    found = lines([word for word in words if word.first in free], _GAP)
    cut = _cut(found)
    if cut is None:
        return list(words)
    sides = [_side(line, cut) for line in found]
    counts = (sides.count(-1), sides.count(1))
    turns = sum(a * b == -1 for a, b in pairwise(sides))
    if turns < _ALTERNATE * min(counts):
        return list(words)
    columns = _by_columns(found, sides)
    tables = [word for word in words if word.first not in free]
    return columns if not tables else _with_tables(columns, tables)


def _cut(found: Sequence[TextLine]) -> float | None:
    """Where two columns of text are parted; None if there are none."""
    lefts, rights = sorted(line.left for line in found), sorted(line.right for line in found)
    best, cut = _LEAST_LINES - 1, None
    for x in sorted({round(right) + 1 for right in rights}):
        left, right = bisect(rights, x), len(lefts) - bisect_left(lefts, x)
        if min(left, right) > best and len(found) - left - right <= _CROSSING * len(found):
            best, cut = min(left, right), float(x)
    if cut is None:
        return None
    for side in (-1, 1):
        own = [line for line in found if _side(line, cut) == side]
        if sum(len(line.words) for line in own) < _LEAST_WORDS * len(own):
            return None
    return cut


def _side(line: TextLine, cut: float) -> int:
    """-1 for a line of the left column, 1 for one of the right, 0 for one across both."""
    return -1 if line.right <= cut else 1 if line.left >= cut else 0


def _by_columns(found: Sequence[TextLine], sides: Sequence[int]) -> list[Word]:
    """Lines from the top to each line across both columns: the left ones, then the right ones."""
    result: list[Word] = []
    waiting: dict[int, list[TextLine]] = {-1: [], 1: []}

    def empty() -> None:
        for side in (-1, 1):
            for line in waiting[side]:
                result.extend(line.words)
            waiting[side] = []

    for line, side in sorted(zip(found, sides, strict=True), key=lambda one: -one[0].y):
        if side:
            waiting[side].append(line)
        else:
            empty()
            result.extend(line.words)
    empty()
    return result


def _with_tables(columns: Sequence[Word], tables: Sequence[Word]) -> list[Word]:
    """Running words with those of tables before the first that stands below all of these."""
    lowest = min(word.bottom for word in tables)
    place = next((at for at, word in enumerate(columns) if word.top <= lowest), len(columns))
    return [*columns[:place], *tables, *columns[place:]]
