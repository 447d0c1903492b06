"""What readers have written onto a PDF: notes, comments and typed text; worker process only."""

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf.frame import Box

_TYPED = pdfium.FPDF_ANNOT_FREETEXT
_KINDS = {
    _TYPED,
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_SQUIGGLY,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_SQUARE,
    pdfium.FPDF_ANNOT_CIRCLE,
    pdfium.FPDF_ANNOT_LINE,
    pdfium.FPDF_ANNOT_POLYGON,
    pdfium.FPDF_ANNOT_POLYLINE,
    pdfium.FPDF_ANNOT_INK,
    pdfium.FPDF_ANNOT_STAMP,
    pdfium.FPDF_ANNOT_CARET,
}
_HIDDEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN
_MOST = 1_000  # of a page
_MOST_BYTES = 2**16  # of a note


class Annotation(NamedTuple):
    """What somebody has written onto a page, and where."""

    text: str
    box: Box


def notes(page: Any) -> Iterator[Annotation]:
    """The notes of a page: typed text as it is, comments with whose they are."""
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), _MOST)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not annotation:
            continue
        try:
            yield from _note(annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _note(annotation: Any) -> Iterator[Annotation]:
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    place = pdfium.FS_RECTF()
    if kind not in _KINDS or pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
        return
    said = " ".join(_string(annotation, b"Contents").split())
    if not said or not pdfium.FPDFAnnot_GetRect(annotation, place):
        return
    box = (
        min(place.left, place.right),
        min(place.bottom, place.top),
        max(place.left, place.right),
        max(place.bottom, place.top),
    )
    author = " ".join(_string(annotation, b"T").split()) or "somebody"
    yield Annotation(said if kind == _TYPED else f"Comment by {author}: {said}", box)


def _string(annotation: Any, key: bytes) -> str:
    buffer = ctypes.create_string_buffer(_MOST_BYTES)
    room = ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR))
    size = pdfium.FPDFAnnot_GetStringValue(annotation, key, room, _MOST_BYTES)
    if not 2 < size <= _MOST_BYTES:  # noqa: PLR2004 - bytes of the final zero
        return ""
    return buffer.raw[: size - 2].decode("utf-16-le", errors="replace")
