"""Texts of PDF pages by pdfium; used in the worker process only.

Reading and marking make a page's text by the same means, so an offset into it leads back to
pdfium's character, whose place on the page is known.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from xnai.documents.parsers import headers_footers
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.headers_footers import HeadersFooters
from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf import page_blocks
from xnai.documents.pdf.additions import Additions
from xnai.documents.pdf.margins import sheet
from xnai.errors import FILE_DAMAGED, FILE_ENCRYPTED
from xnai.types import Page

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
    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        document.init_forms()
    if len(document) == 0:
        raise Failure(FILE_DAMAGED, reason="it has no pages")
    return document


def pages(document: Any, seen: Seen) -> Iterator[Page]:
    """Read a document page by page; what is met beside text goes to ``seen``.

    Headers, footers and page numbers that are repeated become spaces. What is a picture of text is
    read where something can.
    """
    looked_at = {
        index: layout_of(document, index) for index in headers_footers.sample(len(document))
    }
    margins = HeadersFooters(
        [
            sheet(index + 1, pdf_layout.written(layout, None)[0], layout)
            for index, layout in looked_at.items()
            if layout and layout.words
        ]
    )
    additions = Additions(document, seen)
    before = None
    for index in range(len(document)):
        number = index + 1
        layout = looked_at.pop(index) if index in looked_at else layout_of(document, index)
        if layout is None:
            seen.unreadable.append(number)
            before = None
            yield Page(number, "")
            continue
        read, before = pdf_layout.written(layout, before)
        whole = additions.complete(index, layout, read)
        seen.tables += len(whole.read.tables)
        text = whole.text
        if whole.is_native:
            own = margins.blanked(sheet(number, read, layout))
            text = own + text[len(own) :]
        native = len(read.text) if whole.is_native else 0
        page = document[index]
        found = page_blocks.of_page(page, layout, whole, text)
        page.close()
        yield Page(number, text, whole.words, native, blocks=found)
    seen.removed += headers_footers.by_pages(margins.removed)


def layout_of(document: Any, index: int) -> pdf_layout.Layout | None:
    """What stands where on a page; None if it cannot be read."""
    try:
        page = document[index]
        textpage = page.get_textpage()
        layout = pdf_layout.read(page, textpage)
        textpage.close()
        page.close()
    except pypdfium2.PdfiumError:
        return None
    return layout
