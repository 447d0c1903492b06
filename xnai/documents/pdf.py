"""Text and picture of a PDF page by pdfium; used in the worker process only.

Reading and marking make a page's text by the same means, so an offset into it leads back to
pdfium's character, whose place on the page is known.
"""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from xnai.documents import furniture, ocr, pdf_layout
from xnai.documents.failures import Failure
from xnai.documents.pdf_characters import PageText, clean
from xnai.errors import FILE_DAMAGED, FILE_ENCRYPTED
from xnai.types import Page

MAX_PIXELS = 16_000_000
MARK = (255, 235, 80)  # multiplied with the page, so that the words stay black

_DROPPED_BETWEEN = 4  # characters; a line's end has two
_TAIL = 64 * 1024
_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,300}?/L\s+(\d+)")
_PASSWORD_ERRORS = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)


def _refuse_truncated(path: Path) -> None:
    """Pdfium repairs what it can and says nothing of the pages it did not find."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1024)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    linearized = _LINEARIZED.search(head)
    whole = linearized is None or int(linearized[1]) <= size
    if not whole or (b"%%EOF" not in tail and b"startxref" not in tail):
        raise Failure(FILE_DAMAGED, reason="its end is missing")


def open_pdf(path: Path) -> Any:
    """Open a PDF.

    Raises:
        Failure: FILE_ENCRYPTED, or FILE_DAMAGED.

    """
    try:
        # The library follows links first, and what lies in memory (see mail.py) has no name then.
        document = pypdfium2.PdfDocument(path if path.resolve().exists() else path.read_bytes())
    except pypdfium2.PdfiumError as exc:
        if exc.err_code in _PASSWORD_ERRORS:
            raise Failure(FILE_ENCRYPTED) from exc
        _refuse_truncated(path)
        raise Failure(FILE_DAMAGED, reason="it is not a whole PDF") from exc
    _refuse_truncated(path)
    if len(document) == 0:
        raise Failure(FILE_DAMAGED, reason="it has no pages")
    return document


def pages(document: Any, unreadable: list[int], recognised: list[int]) -> Iterator[Page]:
    """Read a document page by page; numbers of pages that cannot be read go to a list.

    Headers, footers and page numbers that are repeated become spaces. A page without text is read
    by text recognition where that is installed, and its number goes to the other list.
    """
    looked_at = {index: _layout(document, index) for index in furniture.sample(len(document))}
    texts = [pdf_layout.written(layout, None)[0] for layout in looked_at.values() if layout]
    repeated = furniture.repeated_lines([(one.text, one.tables) for one in texts if one.text])
    before = None
    for index in range(len(document)):
        layout = looked_at.pop(index) if index in looked_at else _layout(document, index)
        read = PageText("", ())
        if layout is None:
            unreadable.append(index + 1)
            before = None
        else:
            read, before = pdf_layout.written(layout, before)
        if layout is not None and not read.text.strip() and ocr.is_installed():
            read = PageText(_recognised(document, index), ())
            recognised += [index + 1] if read.text else []
        yield Page(index + 1, furniture.blanked(read.text, read.tables, repeated))


def _recognised(document: Any, index: int) -> str:
    page = document[index]
    try:
        return ocr.text_of(page)
    finally:
        page.close()


def _layout(document: Any, index: int) -> pdf_layout.Layout | None:
    try:
        page = document[index]
        textpage = page.get_textpage()
        layout = pdf_layout.read(page, textpage)
        textpage.close()
        page.close()
    except pypdfium2.PdfiumError:
        return None
    return layout


def _indices(document: Any, index: int, characters: int) -> Sequence[int]:
    """Pdfium's characters behind those of a page's text, as ``pages`` made it.

    A text of another length was read by a version that left everything in pdfium's order, or lies
    so far down a table that its headings are repeated no longer. Where none of these has its
    length there are none: better no mark than one on other words.
    """
    layout = _layout(document, index)
    if layout is None:
        return ()
    before = None
    if pdf_layout.may_continue(layout):
        for earlier in range(max(0, index - pdf_layout.MOST_PAGES), index):
            one = _layout(document, earlier)
            before = pdf_layout.written(one, before)[1] if one else None
    indices = pdf_layout.written(layout, before)[0].indices
    if characters in {0, len(indices)}:
        return indices
    far = pdf_layout.written(layout, pdf_layout.far_down(layout))[0].indices
    plain = clean(layout.codes).indices
    return next((found for found in (far, plain) if len(found) == characters), ())


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


def _to_pixels(page: Any, box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    corners = []
    for x, y in ((box[0], box[3]), (box[2], box[1])):
        left, top = pdfium.c_int(), pdfium.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, left, top)
        corners.append((left.value, top.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2


def picture(
    path: Path, number: int, marked: tuple[int, int], width: int, characters: int
) -> bytes | None:
    """Render a page as PNG with a range of its text, which is so long, marked.

    None: there is no such page.
    """
    from PIL import Image, ImageChops, ImageDraw  # noqa: PLC0415 - reading needs no pictures

    document = open_pdf(path)
    if not 1 <= number <= len(document):
        return None
    page = document[number - 1]
    page_width, page_height = page.get_size()
    scale = (width - 0.01) / max(page_width, 1)  # pdfium rounds up
    # A page may be a mile high.
    scale = min(scale, (MAX_PIXELS / max(page_width * page_height, 1)) ** 0.5)
    image = page.render(scale=scale).to_pil().convert("RGB")
    marks = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(marks)
    textpage = page.get_textpage()
    for box in _line_boxes(textpage, _indices(document, number - 1, characters)[slice(*marked)]):
        draw.rectangle(_to_pixels(page, box, image.size), fill=MARK)
    result = BytesIO()
    ImageChops.multiply(image, marks).save(result, "PNG", compress_level=3)
    return result.getvalue()
