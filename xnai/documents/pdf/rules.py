"""The ruled lines of a PDF page, and the grids they make.

Lines that cross are one grid (Nurminen, 2013, "Algorithmic extraction of data in tables in PDF
documents", which pdfplumber and camelot follow too).
"""

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf.frame import Box, Frame

_MOST_OBJECTS = 5_000  # of a page; beyond, it is a drawing
_MOST_SEGMENTS = 20_000
_MOST_EDGES = 1_500
_MOST_PANELS = 100  # a panel is drawn before what stands on it
_PANEL_HEIGHT, _PANEL = 0.3, (0.15, 0.45)  # of the page's height, and of its width
_STRAIGHT = 1.0  # points by which a straight line may lean
_SHORTEST = 4.0  # points; dots and dashes are no rules
_NEAR = 3.0  # points between lines that are one, or that cross
_GAP = 3.0  # points between parts of one line

Point = tuple[float, float]
Place = Callable[[float, float], Point]


class Edge(NamedTuple):
    """A line at ``at`` on one axis, from ``start`` to ``end`` on the other."""

    at: float
    start: float
    end: float


class Grid(NamedTuple):
    """Lines that hang together; ``xs`` from left to right, ``ys`` from top to bottom."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    across: tuple[Edge, ...]
    down: tuple[Edge, ...]


class RuledLines(NamedTuple):
    """All lines of a page."""

    across: tuple[Edge, ...] = ()
    down: tuple[Edge, ...] = ()


def rules(page: Any, frame: Frame) -> RuledLines:
    """Read the lines of a page as they lie in its frame; none if they are those of a drawing."""
    raw = page.raw
    count = pdfium.FPDFPage_CountObjects(raw)
    if count > _MOST_OBJECTS:
        return RuledLines()
    across: list[Edge] = []
    down: list[Edge] = []
    room = _MOST_SEGMENTS
    for number in range(count):
        item = pdfium.FPDFPage_GetObject(raw, number)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        room -= pdfium.FPDFPath_CountSegments(item)
        if room < 0:
            return RuledLines()
        for (x0, y0), (x1, y1) in _strokes(item):
            box = frame.seen((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
            _add(box, across, down)
    return bounded(RuledLines(merged(across), merged(down)))


def sidebar(page: Any, frame: Frame) -> Box | None:
    """The tall coloured panel at the side of a page that has one, as it lies in its frame."""
    raw = page.raw
    left, bottom, right, top = frame.size
    edges = [ctypes.c_float() for _ in range(4)]
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    for number in range(min(pdfium.FPDFPage_CountObjects(raw), _MOST_PANELS)):
        item = pdfium.FPDFPage_GetObject(raw, number)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        pdfium.FPDFPath_GetDrawMode(item, fill, stroke)
        if fill.value == pdfium.FPDF_FILLMODE_NONE:
            continue
        pdfium.FPDFPageObj_GetBounds(item, *edges)
        x0, y0, x1, y1 = frame.seen(tuple(edge.value for edge in edges))  # type: ignore[arg-type]
        is_tall = y1 - y0 >= _PANEL_HEIGHT * (top - bottom)
        is_beside = _PANEL[0] <= (x1 - x0) / max(right - left, 1.0) <= _PANEL[1]
        if is_tall and is_beside:
            return x0, y0, x1, y1
    return None


def bounded(found: RuledLines) -> RuledLines:
    """The lines of a page; none if it has so many that it is a drawing."""
    return found if len(found.across) + len(found.down) <= _MOST_EDGES else RuledLines()


def _strokes(path: Any) -> Iterator[tuple[Point, Point]]:
    """The straight parts of a path; a thin filled rectangle is one line."""
    place = _placed(path)
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = None
    points: list[Point] = []
    straight: list[tuple[Point, Point]] = []
    for number in range(pdfium.FPDFPath_CountSegments(path)):
        segment = pdfium.FPDFPath_GetPathSegment(path, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = place(x.value, y.value)
        points.append(point)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO and last is not None:
            straight.append((last, point))
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment) and start is not None:
            straight.append((last, start))
            last = start
    return iter(_as_one_line(points) or straight)


def _as_one_line(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    if not points:
        return []
    xs, ys = [x for x, _ in points], [y for _, y in points]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    if height <= _NEAR < width:
        y = (max(ys) + min(ys)) / 2
        return [((min(xs), y), (max(xs), y))]
    if width <= _NEAR < height:
        x = (max(xs) + min(xs)) / 2
        return [((x, min(ys)), (x, max(ys)))]
    return []


def _placed(item: Any) -> Place:
    """Where the points of an object lie on the page."""
    m = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, m)
    return lambda x, y: (m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f)


def _add(box: Box, across: list[Edge], down: list[Edge]) -> None:
    x0, y0, x1, y1 = box
    if y1 - y0 <= _STRAIGHT and x1 - x0 >= _SHORTEST:
        across.append(Edge((y0 + y1) / 2, x0, x1))
    elif x1 - x0 <= _STRAIGHT and y1 - y0 >= _SHORTEST:
        down.append(Edge((x0 + x1) / 2, y0, y1))


def merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Lines at nearly the same place are one, and so are parts that touch."""
    result: list[Edge] = []
    for group in _near(sorted(edges)):
        at = sum(edge.at for edge in group) / len(group)
        for edge in sorted(group, key=lambda edge: edge.start):
            last = result[-1] if result else None
            if last is not None and last.at == at and edge.start <= last.end + _GAP:
                result[-1] = Edge(at, last.start, max(last.end, edge.end))
            else:
                result.append(Edge(at, edge.start, edge.end))
    return tuple(result)


def _near(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    group: list[Edge] = []
    for edge in edges:
        if group and edge.at - group[0].at > _NEAR:
            yield group
            group = []
        group.append(edge)
    if group:
        yield group


def grids(found: RuledLines) -> list[Grid]:
    """The grids of a page that have more than one column."""
    result = []
    for across, down in _components(found):
        xs = _distinct([edge.at for edge in down] + _ends(across))
        ys = tuple(reversed(_distinct([edge.at for edge in across] + _ends(down))))
        if len(xs) > 2 and len(ys) > 1:  # noqa: PLR2004 - lines of two columns
            result.append(Grid(xs, ys, tuple(across), tuple(down)))
    return result


def _ends(edges: Sequence[Edge]) -> list[float]:
    """A table may be open at its sides."""
    if not edges:
        return []
    return [min(edge.start for edge in edges), max(edge.end for edge in edges)]


def _distinct(values: Iterable[float]) -> tuple[float, ...]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > 2 * _NEAR:
            kept.append(value)
    return tuple(kept)


def _components(found: RuledLines) -> list[tuple[list[Edge], list[Edge]]]:
    """Lines across and lines down that cross each other, directly or by way of others."""
    waiting = {"down": set(found.down), "across": set(found.across)}
    result = []
    for first in found.down:
        if first not in waiting["down"]:
            continue
        waiting["down"].discard(first)
        part: dict[str, list[Edge]] = {"down": [first], "across": []}
        reached = [("down", first)]
        while reached:
            side, edge = reached.pop()
            other = "across" if side == "down" else "down"
            crossing = sorted(one for one in waiting[other] if _cross(edge, one))
            waiting[other].difference_update(crossing)
            part[other] += crossing
            reached += [(other, one) for one in crossing]
        result.append((part["across"], part["down"]))
    return result


def _cross(one: Edge, other: Edge) -> bool:
    return (
        one.start - _NEAR <= other.at <= one.end + _NEAR
        and other.start - _NEAR <= one.at <= other.end + _NEAR
    )
