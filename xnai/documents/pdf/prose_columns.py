"""Columns of prose on a page, beside which a table of a column has no cells."""

from bisect import bisect, bisect_left
from collections.abc import Sequence

from xnai.documents.pdf.grid import Band
from xnai.documents.pdf.words import TextLine

_PROSE_WORDS = 5  # in a line of prose
_ZONE_LINES = 5  # of prose in a column of the page at least
_ZONE_CROSSED = 0.25  # of them may be as wide as the page
_PARAGRAPHS = 5.0  # heights between two of them at most
_NEXT = 2.0  # heights from a line to the next below it


def between(found: Sequence[TextLine]) -> list[list[TextLine]]:
    """Lines in parts that may have tables; what stands beside a column of prose is one of them."""
    columns = zones(found)
    if len(columns) == 1:
        return columns
    extents = [_extents(column) for column in columns]
    beside: list[list[TextLine]] = [[] for _ in columns]
    rest: list[TextLine] = []
    for own, zone in enumerate(columns):
        others = _merged([one for at, part in enumerate(extents) if at != own for one in part])
        heights = sorted(line.y for at, part in enumerate(columns) if at != own for line in part)
        last = None
        for line in sorted(zone, key=lambda one: -one.y):
            place = bisect(others, (line.y, float("inf"))) - 1
            is_beside = place >= 0 and line.y <= others[place][1]
            is_next = last is not None and last.y - line.y < _NEXT * line.height
            if is_beside or (is_next and not _is_near(heights, line.y, line.height / 2)):
                beside[own].append(line)
                last = line
            else:
                rest.append(line)
    return [*beside, rest]


def _merged(extents: list[Band]) -> list[Band]:
    result: list[Band] = []
    for low, high in sorted(extents):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _is_near(places: Sequence[float], place: float, distance: float) -> bool:
    """Whether one of the places, which are in order, is no further away."""
    at = bisect_left(places, place - distance)
    return at < len(places) and places[at] <= place + distance


def _extents(zone: Sequence[TextLine]) -> list[Band]:
    """The lowest and highest places of the paragraphs of a column."""
    prose = sorted(
        (line for line in zone if len(line.words) >= _PROSE_WORDS), key=lambda one: one.y
    )
    result: list[Band] = []
    for line in prose:
        if result and line.y - result[-1][1] < _PARAGRAPHS * line.height:
            result[-1] = (result[-1][0], line.y)
        else:
            result.append((line.y, line.y))
    height = prose[0].height if prose else 0.0
    return [(low - height, high + height) for low, high in result if high > low]


def zones(found: Sequence[TextLine]) -> list[list[TextLine]]:
    """The lines of each column of a page that is set in columns."""
    best, cut = _ZONE_LINES - 1, 0.0
    prose = [line for line in found if len(line.words) >= _PROSE_WORDS]
    lefts, rights = sorted(line.left for line in prose), sorted(line.right for line in prose)
    for x in sorted({round(right) + 1 for right in rights}):
        left = bisect(rights, x)
        right = len(lefts) - bisect_left(lefts, x)
        crossing = len(prose) - left - right
        if min(left, right) > best and crossing <= _ZONE_CROSSED * len(prose):
            best, cut = min(left, right), float(x)
    if not cut:
        return [list(found)]
    sides = ([line for line in found if line.x <= cut], [line for line in found if line.x > cut])
    return [zone for side in sides for zone in zones(side)]
