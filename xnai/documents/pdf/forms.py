"""Filled-in forms of PDF pages (AcroForm): what each field is called, and what stands in it."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf.frame import Box, Frame
from xnai.documents.pdf.words import TextLine, Word, lines

_WIDGET = pdfium.FPDF_ANNOT_WIDGET
_BUTTON, _CHECK_BOX, _RADIO = (
    pdfium.FPDF_FORMFIELD_PUSHBUTTON,
    pdfium.FPDF_FORMFIELD_CHECKBOX,
    pdfium.FPDF_FORMFIELD_RADIOBUTTON,
)
_WRITTEN = {
    pdfium.FPDF_FORMFIELD_TEXTFIELD,
    pdfium.FPDF_FORMFIELD_COMBOBOX,
    pdfium.FPDF_FORMFIELD_LISTBOX,
}
_PASSWORD = 1 << 13  # the flag of a field that shows no letters
_MOST_FIELDS = 2_000  # of a page
_MOST_BYTES = 2**16  # of a name or value
_GAP = 1.0  # heights between words of a label
_BESIDE = 30.0  # points from a box to tick to what it says
_ABOVE = 24.0  # points from a field to its label above it
_NEAR = 2.0  # points
_OFF = "Off"  # the value of what is not ticked


class Field(NamedTuple):
    """A field as it is filled in."""

    label: str
    value: str
    box: Box

    @property
    def sentence(self) -> str:
        """The field as a line of text."""
        stop = "" if self.value.endswith((".", "!", "?")) else "."
        return f"{self.label}: {self.value}{stop}" if self.label else f"{self.value}{stop}"


class _Widget(NamedTuple):
    kind: int
    name: str
    title: str
    value: str
    export: str
    is_ticked: bool
    box: Box


def fields(document: Any, page: Any, words: Sequence[Word], frame: Frame) -> list[Field]:
    """The fields of a page that are filled in, or can be ticked, with what stands beside them."""
    if document.formenv is None:
        return []
    widgets = list(_widgets(document.formenv.raw, page.raw))
    if not widgets:
        return []
    labels = _Labels(lines(words, _GAP), widgets, frame)
    found, groups = [], set[str]()
    for widget in widgets:
        if widget.kind in _WRITTEN and widget.value.strip():
            label = widget.title or labels.of_text(widget.box) or widget.name
            found.append(Field(label, " ".join(widget.value.split()), widget.box))
        elif widget.kind == _CHECK_BOX:
            label = widget.title or labels.of_tick(widget.box) or widget.name
            found.append(Field(label, "yes" if widget.is_ticked else "no", widget.box))
        elif widget.kind == _RADIO and widget.name not in groups:
            groups.add(widget.name)
            found += _chosen([one for one in widgets if one.name == widget.name], labels)
    return [one._replace(label=one.label.strip().rstrip(" :.")) for one in found]


def _chosen(group: Sequence[_Widget], labels: "_Labels") -> list[Field]:
    """The button of a group that is pressed, by what stands beside it."""
    pressed = next((one for one in group if one.is_ticked), None)
    if pressed is None:
        return []
    said = labels.right_of(pressed.box) or pressed.export or pressed.value
    first = min(group, key=lambda one: (-one.box[3], one.box[0]))
    label = first.title or labels.of_text(first.box) or first.name
    return [Field(label, said, pressed.box)] if said and said != _OFF else []


class _Labels:
    """What stands beside fields."""

    def __init__(self, found: Sequence[TextLine], widgets: Sequence[_Widget], frame: Frame) -> None:
        self._lines = found
        self._frame = frame
        self._boxes = [frame.seen(widget.box) for widget in widgets]

    def of_text(self, box: Box) -> str:
        """What stands before a field, or above it."""
        seen = self._frame.seen(box)
        return self._left_of(seen) or self._above(seen)

    def of_tick(self, box: Box) -> str:
        """What stands behind a box to tick, or before it."""
        return self.right_of(box) or self.of_text(box)

    def right_of(self, box: Box) -> str:
        """What stands close behind a box."""
        box = self._frame.seen(box)
        beside = [
            line
            for line in self._lines
            if _overlaps(line, box) and -_NEAR <= line.left - box[2] <= _BESIDE
        ]
        return min(beside, key=lambda line: line.left).text if beside else ""

    def _left_of(self, box: Box) -> str:
        beside = [
            line for line in self._lines if _overlaps(line, box) and line.right <= box[0] + _NEAR
        ]
        if not beside:
            return ""
        nearest = max(beside, key=lambda line: line.right)
        between = [
            other
            for other in self._boxes
            if nearest.right - _NEAR <= other[0] < box[0] - _NEAR
            and other[1] < box[3]
            and box[1] < other[3]
        ]
        return "" if between else nearest.text

    def _above(self, box: Box) -> str:
        above = [
            line
            for line in self._lines
            if -_NEAR <= line.words[0].bottom - box[3] <= _ABOVE
            and line.left < box[2]
            and box[0] < line.right
        ]
        return min(above, key=lambda line: line.words[0].bottom).text if above else ""


def _overlaps(line: TextLine, box: Box) -> bool:
    return box[1] - _NEAR < line.y < box[3] + _NEAR


def _widgets(form: Any, page: Any) -> Iterator[_Widget]:
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST_FIELDS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            if pdfium.FPDFAnnot_GetSubtype(annotation) == _WIDGET:
                yield from _widget(form, annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _widget(form: Any, annotation: Any) -> Iterator[_Widget]:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation)
    rectangle = pdfium.FS_RECTF()
    if kind <= _BUTTON or flags & _PASSWORD or not pdfium.FPDFAnnot_GetRect(annotation, rectangle):
        return
    r = rectangle

    def said(call: Callable[..., int]) -> str:
        return _text(lambda *room: call(form, annotation, *room))

    yield _Widget(
        kind,
        said(pdfium.FPDFAnnot_GetFormFieldName),
        said(pdfium.FPDFAnnot_GetFormFieldAlternateName),
        said(pdfium.FPDFAnnot_GetFormFieldValue),
        said(pdfium.FPDFAnnot_GetFormFieldExportValue),
        bool(pdfium.FPDFAnnot_IsChecked(form, annotation)),
        (min(r.left, r.right), min(r.bottom, r.top), max(r.left, r.right), max(r.bottom, r.top)),
    )


def _text(call: Callable[..., int]) -> str:
    size = min(call(None, 0), _MOST_BYTES)
    if size <= 2:  # noqa: PLR2004 - bytes of the final zero
        return ""
    buffer = ctypes.create_string_buffer(_MOST_BYTES)
    call(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), _MOST_BYTES)
    return buffer.raw[: size - 2].decode("utf-16-le", errors="replace")
