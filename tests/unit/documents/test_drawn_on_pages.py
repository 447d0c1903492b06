"""What is drawn on a page beside its text: boxes to tick, notes of readers, hidden meanings."""

import ctypes
from io import BytesIO

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from rig.pdf_files import placed_pdf
from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import additions, reader

TEXTS = [
    (50, 700, 10, "Hours of care"),
    (190, 700, 10, "25 hours"),
    (290, 700, 10, "35 hours"),
    (50, 670, 10, "Photos"),
    (190, 670, 10, "yes"),
    (290, 670, 10, "no"),
    (50, 640, 10, "Account"),
]
BOXES = b"".join(b"%d %d 9 9 re S " % (x, y) for x in (175, 275) for y in (699, 669))
CROSS = b"276 700 m 283 707 l S 276 707 m 283 700 l S "


def text_of(tmp_path, content: bytes) -> str:
    path = tmp_path / "page.pdf"
    path.write_bytes(content)
    return next(iter(reader.pages(reader.open_pdf(path), Seen()))).text


def test_ticked_boxes_are_told_from_others(tmp_path):
    text = text_of(tmp_path, placed_pdf([(TEXTS, [])], drawn=BOXES + CROSS))
    assert "Hours of care: [ ] 25 hours [x] 35 hours." in text
    assert "Photos: [ ] yes [ ] no." in text


@pytest.mark.parametrize(
    "tick",
    [
        b"177 671 5 5 re f ",
        b"BT /F1 9 Tf 176.5 670 Td (X) Tj ET ",
        b"176 674 m 178 671 l 184 678 l S ",
    ],
    ids=["filled", "letter", "tick"],
)
def test_a_box_is_ticked_in_many_ways(tmp_path, tick):
    text = text_of(tmp_path, placed_pdf([(TEXTS, [])], drawn=BOXES + tick))
    assert "Photos: [x] yes [ ] no." in text


@pytest.mark.parametrize(
    "drawn",
    [
        b"".join(b"%d 639 11 11 re S " % (175 + 11 * n) for n in range(10)),  # one digit in each
        b"0 0 1 rg 175 699 9 9 re f ",  # the colour of a legend
        b"175 640 120 9 re S ",
        b"175 699 m 184 708 l S ",
    ],
    ids=["comb", "legend", "wide", "line"],
)
def test_other_small_shapes_are_no_boxes(tmp_path, drawn):
    text = text_of(tmp_path, placed_pdf([(TEXTS, [])], drawn=drawn))
    assert "[ ]" not in text
    assert "[x]" not in text


def annotated(kind: int, said: str, author: str) -> bytes:
    document = pypdfium2.PdfDocument(placed_pdf([(TEXTS, [])]))
    page = document[0]
    note = pdfium.FPDFPage_CreateAnnot(page.raw, kind)
    pdfium.FPDFAnnot_SetRect(note, pdfium.FS_RECTF(300, 520, 400, 500))
    for key, value in ((b"Contents", said), (b"T", author)):
        encoded = (value + "\0").encode("utf-16-le")
        buffer = ctypes.create_string_buffer(encoded, len(encoded))
        text = ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR))
        pdfium.FPDFAnnot_SetStringValue(note, key, text)
    pdfium.FPDFPage_CloseAnnot(note)
    made = BytesIO()
    document.save(made)
    return made.getvalue()


def test_comments_say_whose_they_are(tmp_path):
    content = annotated(pdfium.FPDF_ANNOT_TEXT, "Lower to 35\nif they take wine.", "Vera")
    assert text_of(tmp_path, content).endswith("Comment by Vera: Lower to 35 if they take wine.")


def test_text_typed_onto_a_page_is_text_of_it(tmp_path):
    content = annotated(pdfium.FPDF_ANNOT_FREETEXT, "Delivery at 16:30", "")
    assert text_of(tmp_path, content).endswith("\nDelivery at 16:30")


def test_a_font_that_hides_what_its_characters_mean_is_noticed():
    shifted = [ord(c) - 29 for c in "Serial number: HD-88120-44 ends on 19 August 2027"]
    assert additions._is_garbled("".join(map(chr, shifted)), shifted)
    plain = list(map(ord, "Serial number:\r\nHD-88120-44\tends"))
    assert not additions._is_garbled("".join(map(chr, plain)), plain)


def test_small_print_below_a_cell_goes_to_its_row(tmp_path):
    rows = [("Test", "Result", "Before", "Unit"), ("Iron", "1.1", "1.4", "mg/L")]
    rows += [("Copper", "0.84", "0.79", "mg/L"), ("Zinc", "2.08", "1.77", "mg/L")]
    texts = [
        (x, 700 - 30 * n, 10, cell)
        for n, row in enumerate(rows)
        for x, cell in zip((50, 250, 330, 420), row, strict=True)
    ]
    below = [(50, 690 - 30 * n, 8, "By a method with light") for n in (1, 2, 3)]
    drawn = sorted([*texts, *below], key=lambda one: -one[1])
    text = text_of(tmp_path, placed_pdf([(drawn, [])]))
    assert "Test: Zinc By a method with light; Result: 2.08; Before: 1.77; Unit: mg/L." in text


def test_what_stands_on_a_panel_makes_no_rows_with_what_stands_beside_it(tmp_path):
    side = [(30, 700 - 20 * n, 10, f"Skill number {n}") for n in range(6)]
    beside = [(250, 700 - 20 * n, 10, f"Job number {n}") for n in range(6)]
    years = [(500, 700 - 20 * n, 10, str(2010 + n)) for n in range(6)]
    panel = b"0.8 g 20 300 180 480 re f 0 g "
    text = text_of(tmp_path, placed_pdf([(side + beside + years, [])], drawn=panel))
    assert text.index("Skill number 5") < text.index("Job number 0")
    assert "Job number 3; 2013" in text or "Job number 3: 2013" in text
