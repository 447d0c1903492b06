"""Boxes to tick that are drawn on a page: which of them are ticked, and what stands beside them.

Printed forms have no fields: a box is a small square, and its tick two lines, a letter or a smaller
square inside. None of it is text, so that without this every answer of such a form would be lost.
Used in the worker process only.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from ctypes import c_float, c_int
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf.forms import Field
from xnai.documents.pdf.frame import Box, Frame
from xnai.documents.pdf.words import TextLine, Word, lines

_MOST_OBJECTS = 5_000  # of a page; beyond, it is a drawing
_MOST_BOXES = 300
_MOST_SEGMENTS = 40  # of a border
_SMALLEST, _LARGEST = 5.0, 18.0  # points
_SQUARE = 1.8  # points by which width and height may differ
_NEAR = 1.5  # points
_COMB = 3.0  # points between boxes that one letter each is written into
_BESIDE = 30.0  # points from a box to what it says
_GAP = 1.0  # heights between words of a label
_LINE = 4.0  # points by which boxes of a row may differ in height
_MARKS = frozenset("xX\u00d7+v\u2713\u2714\u2715\u2716\u2717\u2718\u25a0\u25cf\u2022\u2612\u2611")
_DINGBATS = frozenset("348nlu\u2022\u25a0")  # ticks, crosses and spots, as that font has them


class _Shape(NamedTuple):
    """A small path: its box, whether it is not filled, and whether it may be a border."""

    box: Box
    is_outline: bool
    is_border: bool


def fields(page: Any, words: Sequence[Word], frame: Frame) -> list[Field]:
    """The boxes of a page that stand beside text, those that belong together as one field."""
    shapes = sorted(_shapes(page.raw))
    squares = [shape for shape in shapes if shape.is_border and _is_square(shape.box)]
    lefts = [shape.box[0] for shape in shapes]
    found: list[tuple[Box, bool]] = []  # as it is seen, and whether it is ticked
    for square in squares[:_MOST_BOXES]:
        near = slice(bisect(lefts, square.box[0] - 2 * _NEAR), bisect(lefts, square.box[2] + _NEAR))
        inner = [one for one in shapes[near] if one is not square and _is_inside(one, square.box)]
        if not (square.is_outline or inner):
            continue  # the colour of a chart's legend
        box = frame.seen(square.box)
        if any(_covers(other, box) for other, _ in found):
            continue
        inside = [word for word in words if _holds(box, word)]
        if any(not set(word.text) <= _MARKS | _DINGBATS for word in inside):
            continue
        found.append((box, bool(inner or inside)))
    boxes = [one for one in found if not any(_is_beside(one[0], other[0]) for other in found)]
    outside = [word for word in words if not any(_holds(box, word) for box, _ in boxes)]
    return list(_groups(boxes, lines(outside, _GAP), frame)) if boxes else []


def _shapes(page: Any) -> Iterator[_Shape]:
    count = pdfium.FPDFPage_CountObjects(page)
    if count > _MOST_OBJECTS:
        return
    left, bottom, right, top = (c_float() for _ in range(4))
    fill, stroke = c_int(), c_int()
    for number in range(count):
        item = pdfium.FPDFPage_GetObject(page, number)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
            continue
        box = (left.value, bottom.value, right.value, top.value)
        if max(box[2] - box[0], box[3] - box[1]) <= _LARGEST + 2 * _NEAR:
            pdfium.FPDFPath_GetDrawMode(item, fill, stroke)
            outline = bool(stroke.value) and fill.value == pdfium.FPDF_FILLMODE_NONE
            yield _Shape(box, outline, _may_be_border(item))


def _may_be_border(path: Any) -> bool:
    """Whether a path goes around something, once or, as rings do, twice; crosses do not."""
    count = pdfium.FPDFPath_CountSegments(path)
    kinds = [
        pdfium.FPDFPathSegment_GetType(pdfium.FPDFPath_GetPathSegment(path, number))
        for number in range(min(count, _MOST_SEGMENTS))
    ]
    parts = kinds.count(pdfium.FPDF_SEGMENT_MOVETO)
    return count <= _MOST_SEGMENTS and 1 <= parts <= 2 and len(kinds) >= 4 * parts  # noqa: PLR2004


def _is_square(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return _SMALLEST <= min(width, height) <= _LARGEST and abs(width - height) <= _SQUARE


def _is_inside(shape: _Shape, outer: Box) -> bool:
    """Whether a shape lies in a box, and is not its border, or a part of that."""
    inner = shape.box
    within = (
        outer[0] - _NEAR <= inner[0]
        and outer[1] - _NEAR <= inner[1]
        and inner[2] <= outer[2] + _NEAR
        and inner[3] <= outer[3] + _NEAR
    )
    wide, high = inner[2] - inner[0], inner[3] - inner[1]
    side = outer[2] - outer[0]
    is_mark = 0.3 * side <= max(wide, high)
    is_edge = min(wide, high) <= _NEAR
    is_border = shape.is_border and _is_square(inner) and wide >= side - 2 * _NEAR
    return within and is_mark and not is_edge and not is_border


def _covers(one: Box, other: Box) -> bool:
    middle = ((other[0] + other[2]) / 2, (other[1] + other[3]) / 2)
    return one[0] <= middle[0] <= one[2] and one[1] <= middle[1] <= one[3]


def _holds(box: Box, word: Word) -> bool:
    across = box[0] - _NEAR <= word.left and word.right <= box[2] + _NEAR
    return across and box[1] <= word.y <= box[3]


def _is_beside(one: Box, other: Box) -> bool:
    """Whether two boxes touch, as those do into which a number is written."""
    if one == other or abs(one[1] - other[1]) > _NEAR:
        return False
    return min(abs(one[0] - other[2]), abs(other[0] - one[2])) < _COMB


def _groups(
    boxes: Sequence[tuple[Box, bool]], found: Sequence[TextLine], frame: Frame
) -> Iterator[Field]:
    rows: list[list[tuple[Box, bool]]] = []
    for one in sorted(boxes, key=lambda one: -one[0][3]):
        if rows and abs(rows[-1][0][0][3] - one[0][3]) <= _LINE:
            rows[-1].append(one)
        else:
            rows.append([one])
    for row in rows:
        own = [line for line in found if row[0][0][1] - _NEAR < line.y < row[0][0][3] + _NEAR]
        yield from _of_row(sorted(row), sorted(own, key=lambda line: line.left), frame)


def _of_row(
    row: Sequence[tuple[Box, bool]], own: Sequence[TextLine], frame: Frame
) -> Iterator[Field]:
    """The boxes of a row: a new group begins where text stands that no box before it says."""
    label, area = "", None
    said: list[str] = []
    taken: set[int] = set()
    for at, (box, is_ticked) in enumerate(row):
        end = row[at + 1][0][0] if at + 1 < len(row) else box[2] + 10 * _BESIDE
        right = next((line for line in own if box[2] - _NEAR <= line.left < end), None)
        before = [line for line in own if line.x < box[0] and id(line) not in taken]
        if before or not at:
            yield from _field(label, said, area, frame)
            label, said, area = (before[-1].text if before else ""), [], None
            taken.update(map(id, before))
        if right is not None and right.left - box[2] <= _BESIDE:
            taken.add(id(right))
            said.append(f"[{'x' if is_ticked else ' '}] {right.text}")
        elif label and not said:
            said.append("[x]" if is_ticked else "[ ]")
        area = box if area is None or is_ticked else area
    yield from _field(label, said, area, frame)


def _field(label: str, said: Sequence[str], area: Box | None, frame: Frame) -> Iterator[Field]:
    if said and area is not None:
        yield Field(label.strip().rstrip(" :."), " ".join(said), frame.on_page(area))
