"""Documents made for tests, each by the few lines its format needs."""

import hashlib
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
_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def _literal(line: str) -> bytes:
    escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return escaped.encode("cp1252", errors="replace")


def _page_content(lines: Sequence[str]) -> bytes:
    shown = b" T* ".join(b"(%s) Tj" % _literal(line) for line in lines)
    return b"BT /F1 11 Tf 14 TL 72 770 Td %s ET" % shown if lines else b""


def pdf(pages: Sequence[Sequence[str]], *, encrypted: bool = False, rotate: int = 0) -> bytes:
    """A PDF with lines of Latin text, 11 pt Helvetica, 14 pt apart from (72, 770) down on A4."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for n, lines in enumerate(pages):
        content = _page_content(lines)
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Rotate %d"
            b"/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>" % (rotate, 5 + 2 * n),
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        ]
    trailer = b""
    if encrypted:
        # No password opens this: the check value is noise. Revision 2, 40 bits.
        noise = hashlib.sha256(b"owner").hexdigest().encode()
        trailer = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (
            noise,
            _PAD.hex().encode(),
        )
    return _assembled(objects, trailer)


Placed = tuple[float, float, float, str]  # left, base line, size and text
Ruled = tuple[float, float, float, float]  # from (x, y) to (x, y)


def placed_pdf(pages: Sequence[tuple[Sequence[Placed], Sequence[Ruled]]]) -> bytes:
    """A PDF of A4 pages with texts in Helvetica at their places, in this order, and lines."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for n, (texts, lines) in enumerate(pages):
        content = b" ".join(
            [b"BT /F1 %g Tf %g %g Td (%s) Tj ET" % (size, x, y, _literal(text))
             for x, y, size, text in texts]
            + [b"%g %g m %g %g l S" % line for line in lines]
        )  # fmt: skip
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            b"/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>" % (5 + 2 * n),
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        ]
    return _assembled(objects, b"")


def _assembled(objects: Sequence[bytes], trailer: bytes) -> bytes:
    """A PDF of numbered objects, the first of which is its catalogue."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj%s endobj\n" % (number, body))
    xref, size = out.tell(), len(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(b"trailer<</Root 1 0 R/Size %d%s>>\n" % (size, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % xref)
    return out.getvalue()


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


def runaway_pdf(first: str) -> bytes:
    """A PDF whose second page draws a form that draws ten forms, and so on twelve deep."""
    depth = 12
    forms = [
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>"
        b"/Font<</F1 3 0 R>>>>/Length %d>>stream\n%s\nendstream"
        % (
            8 + level + 1,
            60 if level < depth else 25,
            b"/X Do " * 10 if level < depth else b"BT /F1 9 Tf (spam) Tj ET ",
        )
        for level in range(depth + 1)
    ]
    pages = [_page_content([first]), b"/X Do"]
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 2/Kids[4 0 R 6 0 R]>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for n, content in enumerate(pages):
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            b"/Resources<</Font<</F1 3 0 R>>/XObject<</X 8 0 R>>>>/Contents %d 0 R>>" % (5 + 2 * n),
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        ]
    return _assembled(objects + forms, b"")


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
