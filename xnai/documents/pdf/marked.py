"""Pictures of PDF pages with words marked; used in the worker process only."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf.characters import clean
from xnai.documents.pdf.page_pictures import corners, in_units
from xnai.documents.pdf.reader import layout_of, open_pdf
from xnai.types import UNITS

MAX_PIXELS = 16_000_000
MARK = (255, 235, 80)  # multiplied with the page, so that the words stay black

_DROPPED_BETWEEN = 4  # characters; a line's end has two
_AROUND = 2  # pixels that a mark is wider than its words

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels or in units


class Wish(NamedTuple):
    """A picture that is asked for.

    Attributes:
        page: its number.
        marked: start and end of what is marked in the page's text.
        characters: how many of that text a PDF has for itself, see ``page_image.Marked``.
        width: in pixels.
        boxes: of words that have places of their own, in units of the picture.

    """

    page: int
    marked: tuple[int, int]
    characters: int
    width: int = 0
    boxes: tuple[Box, ...] = ()


def _indices(document: Any, index: int, characters: int) -> Sequence[int]:
    """Pdfium's characters behind those of a page's text, as ``pages`` made it.

    A text of another length was read by a version that left everything in pdfium's order, or lies
    so far down a table that its headings are repeated no longer. Where none of these has its
    length there are none: better no mark than one on other words.
    """
    layout = layout_of(document, index) if characters >= 0 else None
    if layout is None:
        return ()
    before = None
    if pdf_layout.may_continue(layout):
        for earlier in range(max(0, index - pdf_layout.MOST_PAGES), index):
            one = layout_of(document, earlier)
            before = pdf_layout.written(one, before)[1] if one else None
    indices = pdf_layout.written(layout, before)[0].indices
    if characters in {0, len(indices)}:
        return layout.of_pdfium(indices)
    far = pdf_layout.written(layout, pdf_layout.far_down(layout))[0].indices
    plain = clean(layout.codes).indices
    found = next((found for found in (far, plain) if len(found) == characters), ())
    return layout.of_pdfium(found)


def _line_boxes(textpage: Any, indices: Sequence[int]) -> Iterator[tuple[float, ...]]:
    """Boxes (left, bottom, right, top) of characters, one for each line of what hangs together."""
    for first, last in _ranges(indices):
        for number in range(textpage.count_rects(first, last - first + 1)):
            yield textpage.get_rect(number)


def _ranges(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of indices that follow each other, but for those that were dropped."""
    first = last = -1
    for index in indices:
        if index == pdf_layout.PUT_IN:
            continue
        if first >= 0 and not 0 <= index - last <= _DROPPED_BETWEEN:
            yield first, last
            first = -1
        first, last = (index if first < 0 else first), index
    if first >= 0:
        yield first, last


def _to_pixels(page: Any, box: Sequence[float], size: tuple[int, int]) -> Box:
    (x0, y0), (x1, y1) = corners(page, (box[0], box[1], box[2], box[3]), size)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def places(path: Path, wish: Wish) -> tuple[Box, ...]:
    """Where a range of a page's text stands, in units of the page."""
    document = open_pdf(path)
    if not 1 <= wish.page <= len(document):
        return ()
    page = document[wish.page - 1]
    chosen = _indices(document, wish.page - 1, wish.characters)[slice(*wish.marked)]
    found = _line_boxes(page.get_textpage(), chosen)
    return tuple(in_units(page, (left, bottom, right, top)) for left, bottom, right, top in found)


def picture(path: Path, wish: Wish) -> bytes | None:
    """Render a page as PNG with a range of its text marked; None: there is no such page."""
    document = open_pdf(path)
    if not 1 <= wish.page <= len(document):
        return None
    page = document[wish.page - 1]
    page_width, page_height = page.get_size()
    scale = (wish.width - 0.01) / max(page_width, 1)  # pdfium rounds up
    # A page may be a mile high.
    scale = min(scale, (MAX_PIXELS / max(page_width * page_height, 1)) ** 0.5)
    image = page.render(scale=scale).to_pil().convert("RGB")
    boxes: list[Box] = []
    # A mark that cannot be drawn costs nothing of the picture.
    with contextlib.suppress(Exception):
        chosen = _indices(document, wish.page - 1, wish.characters)[slice(*wish.marked)]
        textpage = page.get_textpage()
        boxes += [_to_pixels(page, box, image.size) for box in _line_boxes(textpage, chosen)]
    return with_marks(image, [*boxes, *in_pixels(wish.boxes, image.size)])


def in_pixels(boxes: Iterable[Box], size: tuple[int, int]) -> Iterator[Box]:
    """Boxes in units of a picture as boxes in its pixels."""
    width, height = size
    for left, top, right, bottom in boxes:
        yield (
            left * width // UNITS,
            top * height // UNITS,
            right * width // UNITS,
            bottom * height // UNITS,
        )


def with_marks(image: Any, boxes: Iterable[Box]) -> bytes:
    """A picture as PNG with what lies in boxes marked."""
    from PIL import Image, ImageChops, ImageDraw  # noqa: PLC0415 - reading needs no pictures

    marks = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(marks)
    for left, top, right, bottom in boxes:
        around = (left - _AROUND, top - _AROUND, right + _AROUND, bottom + _AROUND)
        draw.rectangle(around, fill=MARK)
    result = BytesIO()
    ImageChops.multiply(image, marks).save(result, "PNG", compress_level=3)
    return result.getvalue()
