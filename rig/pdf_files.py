"""PDF files made by the few lines they need: plain ones, placed ones, one that never ends."""

import hashlib
import io
from collections.abc import Sequence

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


def placed_pdf(
    pages: Sequence[tuple[Sequence[Placed], Sequence[Ruled]]], *, drawn: bytes = b""
) -> bytes:
    """A PDF of A4 pages with texts in Helvetica at their places, in this order, and lines.

    What is ``drawn`` on each page comes first, as the operators of its content.
    """
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for n, (texts, lines) in enumerate(pages):
        content = b" ".join(
            [drawn]
            + [b"BT /F1 %g Tf %g %g Td (%s) Tj ET" % (size, x, y, _literal(text))
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
