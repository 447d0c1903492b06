"""The pictures on a PDF page: how much of it they cover, and what they look like."""

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.parsers import ocr
from xnai.types import UNITS

_COVERS = 0.6  # of the page; then it is a scan, whatever text lies on it
_LEAST_SHARE = 0.015  # of the page that a picture with text takes
_LEAST_POINTS = (60, 12)  # width and height of one
_MOST = 12  # pictures of a page that are read
_MOST_OBJECTS = 5_000
_DEEPEST = 4  # forms within forms

Box = tuple[float, float, float, float]  # left, bottom, right, top


class Pictures(NamedTuple):
    """What a page has of pictures, and whether they cover it."""

    boxes: list[Box]
    cover: bool


def on(page: Any) -> Pictures:
    """The pictures of a page that may have text."""
    left, bottom, right, top = page.get_bbox()
    area = max((right - left) * (top - bottom), 1.0)
    boxes = []
    covered = 0.0
    for found in _bounds(page.raw):
        box = (max(found[0], left), max(found[1], bottom), min(found[2], right), min(found[3], top))
        width, height = box[2] - box[0], box[3] - box[1]
        if width <= 0 or height <= 0:
            continue
        covered += width * height
        wide = width >= _LEAST_POINTS[0] and height >= _LEAST_POINTS[1]
        if wide and width * height >= _LEAST_SHARE * area:
            boxes.append(box)
    return Pictures(boxes[:_MOST], covered >= _COVERS * area)


def _bounds(page: Any) -> Iterator[Box]:
    count = min(pdfium.FPDFPage_CountObjects(page), _MOST_OBJECTS)
    for number in range(count):
        item = pdfium.FPDFPage_GetObject(page, number)
        if _has_picture(item, _DEEPEST):
            ends = [ctypes.c_float() for _ in range(4)]
            if pdfium.FPDFPageObj_GetBounds(item, *ends):
                left, bottom, right, top = (end.value for end in ends)
                yield left, bottom, right, top


def _has_picture(item: Any, depth: int) -> bool:
    kind = pdfium.FPDFPageObj_GetType(item)
    if kind != pdfium.FPDF_PAGEOBJ_FORM or depth == 0:
        return bool(kind == pdfium.FPDF_PAGEOBJ_IMAGE)
    inner = min(pdfium.FPDFFormObj_CountObjects(item), _MOST_OBJECTS)
    return any(
        _has_picture(pdfium.FPDFFormObj_GetObject(item, number), depth - 1)
        for number in range(inner)
    )


def is_blank(page: Any) -> bool:
    """Whether there is nothing on a page at all."""
    return bool(pdfium.FPDFPage_CountObjects(page.raw) == 0)


def drawn(page: Any) -> tuple[Any, float]:
    """A page as a grey picture, and how many of its pixels are a point."""
    width, height = page.get_size()
    scale = min(ocr.DOTS_PER_POINT, (ocr.MAX_PIXELS / max(width * height, 1)) ** 0.5)
    return page.render(scale=scale, grayscale=True).to_pil(), scale


def corners(page: Any, box: Box, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Two opposite corners of a box on a page that is drawn so large, in pixels."""
    found = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        left, top = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, left, top)
        found.append((left.value, top.value))
    return found


def in_units(page: Any, box: Box) -> tuple[int, int, int, int]:
    """A box on a page as left, top, right and bottom in units of the page as it is drawn."""
    (x0, y0), (x1, y1) = corners(page, box, (UNITS, UNITS))
    ends = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    left, top, right, bottom = (min(max(at, 0), UNITS) for at in ends)
    return left, top, right, bottom


def cut_out(page: Any, picture: Any, box: Box) -> tuple[Any, tuple[int, int]]:
    """A part of the picture of a page, and where its upper left corner lies in that."""
    (x0, y0), (x1, y1) = corners(page, box, picture.size)
    left, right = sorted((min(max(x0, 0), picture.width), min(max(x1, 0), picture.width)))
    top, bottom = sorted((min(max(y0, 0), picture.height), min(max(y1, 0), picture.height)))
    return picture.crop((left, top, right, bottom)), (left, top)
