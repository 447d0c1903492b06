"""Documents made for tests, each by the few lines its format needs."""

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="png" ContentType="image/png"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override '
    'PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships '
    'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(paragraphs: Sequence[str], *, prolog: str = "", extra: dict[str, bytes] | None = None):
    """A DOCX with paragraphs; a first one that begins with "# " becomes a heading."""
    body = ""
    for text in paragraphs:
        style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' if text.startswith("# ") else ""
        shown = text if "&" in text else escape(text.removeprefix("# "))
        body += f"<w:p>{style}<w:r><w:t>{shown}</w:t></w:r></w:p>"
    root = f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    document = f'<?xml version="1.0"?>{prolog}{root}'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/document.xml", document)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return out.getvalue()


def pptx(slides: Sequence[tuple[str, str]], *, notes: Sequence[str] = ()) -> bytes:
    """A PPTX with a title and a text on each slide, and with what its speaker notes down."""
    from pptx import Presentation  # noqa: PLC0415 - slow to import

    deck = Presentation()
    for number, (title, text) in enumerate(slides):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
        if said := dict(enumerate(notes)).get(number):
            slide.notes_slide.notes_text_frame.text = said
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def xlsx(sheets: dict[str, Sequence[Sequence[object]]]) -> bytes:
    """An XLSX with rows of cells on named sheets."""
    import openpyxl  # noqa: PLC0415 - slow to import

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def ole(stream: str) -> bytes:
    """An OLE2 container whose directory names one stream."""
    entries = b""
    for name in ("Root Entry", stream):
        encoded = name.encode("utf-16-le")
        entries += encoded.ljust(64, b"\0") + (len(encoded) + 2).to_bytes(2, "little") + bytes(62)
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entries.ljust(512, b"\0")


_OPEN = "urn:oasis:names:tc:opendocument:xmlns"


def open_document(
    kind: str, body: str, *, styles: str = "", extra: dict[str, bytes] | None = None
) -> bytes:
    """An ODT, ODS or ODP (``text``, ``spreadsheet``, ``presentation``) with the XML of its body."""
    names = " ".join(
        f'xmlns:{name}="{_OPEN}:{name}:1.0"'
        for name in ("office", "text", "table", "draw", "style", "presentation")
    )
    content = (
        f"<office:document-content {names}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", content)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return out.getvalue()


def epub(
    chapters: Sequence[tuple[str, str]],
    *,
    reading_order: Sequence[int] | None = None,
    raw: bool = False,
) -> bytes:
    """A book with a table of contents and chapters of a title and a paragraph, or raw HTML."""
    order = range(len(chapters)) if reading_order is None else reading_order
    items = "".join(f'<item id="c{n}" href="text/c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = '<itemref idref="nav"/>' + "".join(f'<itemref idref="c{n}"/>' for n in order)
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/>'
        "</rootfiles></container>",
        "OPS/book.opf": '<package><manifest><item id="nav" properties="nav" href="nav.xhtml"/>'
        f"{items}</manifest><spine>{spine}</spine></package>",
        "OPS/nav.xhtml": "<html><body><ol><li>Contents</li></ol></body></html>",
    }
    for number, (title, words) in enumerate(chapters):
        parts[f"OPS/text/c {number}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><body>'
            f"<h1>{escape(title)}</h1><p>{words if raw else escape(words)}</p></body></html>"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return buffer.getvalue()
