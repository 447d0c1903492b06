"""Text and picture of a PDF page by pdfium; used in the worker process only.

Reading and marking run the same ``text_of``, so an offset into a page's text leads back to
pdfium's character, whose place on the page is known.
"""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from xnai.documents import furniture, ocr
from xnai.documents.failures import Failure
from xnai.errors import FILE_DAMAGED, FILE_ENCRYPTED
from xnai.types import Page

MAX_PIXELS = 16_000_000
MARK = (255, 235, 80)  # multiplied with the page, so that the words stay black

_TAIL = 64 * 1024
_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,300}?/L\s+(\d+)")
_PASSWORD_ERRORS = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
_LINE_END_HYPHEN = 0x02  # pdfium's mark for a hyphen and line break inside a word
_DROPPED = frozenset((0, _LINE_END_HYPHEN, 0x0D, 0xAD, 0xFEFF, 0xFFFE, 0xFFFF))
_NEWLINE = 0x0A
_SPACE = 0x20
_HIGH = range(0xD800, 0xDC00)
_LOW = range(0xDC00, 0xE000)


class PageText(NamedTuple):
    """A page's text and, for each code point of it, the index of pdfium's character."""

    text: str
    indices: Sequence[int]


def clean(codes: Sequence[int]) -> PageText:
    """Turn pdfium's characters into text without controls, soft hyphens and lone surrogates.

    A word that is divided at the end of a line is put together; of a name the hyphen stays.
    """
    kept: list[str] = []
    indices: list[int] = []
    for index, code in enumerate(codes):
        if code == _LINE_END_HYPHEN and chr(_next(codes, index)).isupper():
            kept.append("-")
            indices.append(index)
        if code in _DROPPED or code in _LOW:
            continue
        shown = code
        if code in _HIGH:
            low = codes[index + 1] if index + 1 < len(codes) else 0
            if low not in _LOW:
                continue
            shown = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        elif code < _SPACE and code != _NEWLINE:
            shown = _SPACE
        kept.append(chr(shown))
        indices.append(index)
    return PageText("".join(kept), indices)


def _next(codes: Sequence[int], index: int) -> int:
    return codes[index + 1] if index + 1 < len(codes) else 0


def text_of(textpage: Any) -> PageText:
    """Read the text of a pdfium text page."""
    raw, code_at = textpage.raw, pdfium.FPDFText_GetUnicode
    return clean([code_at(raw, index) for index in range(textpage.count_chars())])


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
        document = pypdfium2.PdfDocument(path)
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
    looked_at = {index: _text(document, index) for index in furniture.sample(len(document))}
    repeated = furniture.repeated_lines([text for text in looked_at.values() if text])
    for index in range(len(document)):
        text = looked_at.pop(index) if index in looked_at else _text(document, index)
        if text is None:
            unreadable.append(index + 1)
        if text is not None and not text.strip() and ocr.is_installed():
            text = _recognised(document, index)
            recognised += [index + 1] if text else []
        yield Page(index + 1, furniture.blanked(text or "", repeated))


def _recognised(document: Any, index: int) -> str:
    page = document[index]
    try:
        return ocr.text_of(page)
    finally:
        page.close()


def _text(document: Any, index: int) -> str | None:
    try:
        page = document[index]
        textpage = page.get_textpage()
        text = text_of(textpage).text
        textpage.close()
        page.close()
    except pypdfium2.PdfiumError:
        return None
    return text


def _line_boxes(textpage: Any, indices: Sequence[int]) -> Iterator[tuple[float, ...]]:
    """Boxes (left, bottom, right, top) of a range of characters, one for each line."""
    if indices:
        count = textpage.count_rects(indices[0], indices[-1] - indices[0] + 1)
        for number in range(count):
            yield textpage.get_rect(number)


def _to_pixels(page: Any, box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    corners = []
    for x, y in ((box[0], box[3]), (box[2], box[1])):
        left, top = pdfium.c_int(), pdfium.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, left, top)
        corners.append((left.value, top.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2


def picture(path: Path, number: int, start: int, end: int, width: int) -> bytes | None:
    """Render a page as PNG with the words of ``[start, end)`` marked; None: no such page."""
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
    for box in _line_boxes(textpage, text_of(textpage).indices[start:end]):
        draw.rectangle(_to_pixels(page, box, image.size), fill=MARK)
    result = BytesIO()
    ImageChops.multiply(image, marks).save(result, "PNG", compress_level=3)
    return result.getvalue()
