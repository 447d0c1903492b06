"""Columns of a page that were drawn row by row, read one after the other."""

from bisect import bisect, bisect_left
from collections.abc import Collection, Container, Sequence
from itertools import pairwise

from xnai.documents.pdf.frame import Box
from xnai.documents.pdf.words import SLANTED, TextLine, Word, lines

_GAP = 1.2  # heights between words; a wider one parts two columns
_LEAST_LINES = 4  # of each column
_LEAST_WORDS = 2.5  # in a line of a column, on average; fewer are cells of a table
_CROSSING = 0.25  # of the lines may be as wide as the page
_MOST_DEPTH = 4  # columns within columns
_ALTERNATE = 0.5  # of the lines of the shorter column are followed by one of the other


def ordered(words: Sequence[Word], free: Collection[int]) -> list[Word]:
    """Words in the order of reading; ``free`` are the first characters of those in no table.

    What stands askew, as a stamp over the page, comes last.
    """
    askew = [word for word in words if word.runs == SLANTED]
    straight = [word for word in words if word.runs != SLANTED] if askew else words
    found = lines([word for word in straight if word.first in free], _GAP)
    columns = _by_columns(found)
    if columns is None:
        return [*straight, *askew]
    running = [word for line in columns for word in line.words]
    tables = [word for word in straight if word.first not in free]
    return [*(_with_tables(running, tables) if tables else running), *askew]


def _by_columns(found: Sequence[TextLine], deep: int = 0) -> list[TextLine] | None:
    """Lines column by column; None if they are so already, or in one column."""
    cut = _cut(found) if deep < _MOST_DEPTH else None
    if cut is None:
        return None
    sides = [_side(line, cut) for line in found]
    counts = (sides.count(-1), sides.count(1))
    turns = sum(a * b == -1 for a, b in pairwise(sides))
    if turns < _ALTERNATE * min(counts):
        return None
    result: list[TextLine] = []
    waiting: dict[int, list[TextLine]] = {-1: [], 1: []}

    def empty() -> None:
        for side in (-1, 1):
            own = waiting[side]
            result.extend(_by_columns(own, deep + 1) or own)
            waiting[side] = []

    for line, side in sorted(zip(found, sides, strict=True), key=lambda one: -one[0].y):
        if side:
            waiting[side].append(line)
        else:
            empty()
            result.append(line)
    empty()
    return result


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


def _with_tables(columns: Sequence[Word], tables: Sequence[Word]) -> list[Word]:
    """Running words with those of tables before the first that stands below all of these."""
    lowest = min(word.bottom for word in tables)
    place = next((at for at, word in enumerate(columns) if word.top <= lowest), len(columns))
    return [*columns[:place], *tables, *columns[place:]]


def parted(words: Sequence[Word], panel: Box | None) -> list[list[Word]]:
    """Words that stand on a panel, and the others; they make no rows with each other."""
    if panel is None:
        return [list(words)]
    inside = [word for word in words if panel[0] <= word.x <= panel[2] and word.y >= panel[1]]
    taken = {word.first for word in inside}
    return [inside, [word for word in words if word.first not in taken]]


def from_the_top(words: Sequence[Word], tables: Container[int]) -> list[Word]:
    """Words with those last that stand above all tables, and were drawn after them, first."""
    places = [place for place, word in enumerate(words) if word.first in tables]
    if not places:
        return list(words)
    inside = [words[place] for place in places]
    highest = max(word.top for word in inside)
    left, right = min(word.left for word in inside), max(word.right for word in inside)

    def is_title(word: Word) -> bool:
        return word.bottom >= highest and word.left < right and left < word.right

    after = words[places[-1] + 1 :]
    titles = [word for word in after if is_title(word)]
    before = words[: places[-1] + 1]
    if not titles or any(not is_title(word) for word in before if word.first not in tables):
        return list(words)
    return [*titles, *before, *(word for word in after if not is_title(word))]
