"""Files of kinds that are easily misread: what stands in each, and where."""

from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from rig.pdf_files import pdf
from xnai.documents.parsers import converters, media_type
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.page_image import NO_CHARACTERS, Marked, PageImages
from xnai.documents.parsers.process import Limits
from xnai.types import Document, Page

CASES = Path(__file__).parent / "cases"
AMPLE = Limits(300, 2048)


async def read(name: str) -> tuple[list[Page], ParserRun]:
    path = CASES / name
    reading = ParserRun(path, media_type.media_type(path, name), name, 1_000_000, AMPLE)
    return await read_all(reading), reading


async def text(name: str, page: int = 1) -> str:
    pages, _ = await read(name)
    return " ".join(pages[page - 1].text.split())


@pytest.mark.parametrize(
    ("name", "page", "said"),
    [
        ("payslips-4.pdf", 3, "Net pay: 2372.75 EUR"),
        ("invoices-12.pdf", 8, "Customer: Lark Clinic"),
        ("invoices-12.pdf", 8, "Invoice 10048"),
        ("invoices-12.pdf", 5, "Total due: 652.71 EUR"),
        ("notices-title-last.pdf", 2, "Holm Works"),
        ("orders-sjis.csv", 1, "札幌"),
        ("orders-sjis.csv", 1, "返品あり"),
        ("policy-autonumber.docx", 1, "4.2 Taxi fares are refunded only between 22:00 and 06:00."),
        ("policy-autonumber.docx", 1, "# 4. Expenses"),
        ("lease-tracked.docx", 1, "The monthly rent is 4,650 euros"),
        ("lease-tracked.docx", 1, "Footer: Contact: legal desk, extension 4471"),
        ("lease-tracked.docx", 1, "Comment by Reviewer on"),
        ("lease-tracked.docx", 1, "[1] Working days are Monday to Thursday"),
        ("roster-merged.docx", 1, "Hall: Hall 1; Day: Tuesday; Early: Moss; Late: Holm."),
        ("roster-merged.docx", 1, "Hall: Hall 2; Day: Monday; Early: Sund; Late: Vale."),
        ("segments.xlsx", 1, "Pumps; January-June 2024 Sales: 4120;"),
        ("segments.xlsx", 1, "Pumps; January-June 2023 Sales: 3708;"),
        ("form-filled.pdf", 1, "Name of vessel: Silver Heron."),
        ("form-filled.pdf", 1, "Insurance policy number: NP-558-2290."),
        ("form-filled.pdf", 1, "Electricity wanted: yes."),
        ("form-filled.pdf", 1, "Berth size: Large."),
        ("nics-background-checks-2015-11.pdf", 1, "Alabama; Permit: 18,870"),
        ("nics-background-checks-2015-11.pdf", 1, "Alaska; Permit: 209"),
        ("thread.eml", 1, "27 March"),
        ("shop-cookie.html", 1, "61"),
    ],
)
async def test_what_stands_in_a_file_is_read_where_it_stands(name, page, said):
    assert said in await text(name, page)


WAYS = [
    pytest.param(converters.TESSERACT, marks=pytest.mark.needs("tesseract")),
    converters.MODELS,
]


@pytest.fixture
def by(request, monkeypatch):
    """What reads the pictures: tesseract with the models, or these alone."""
    if request.param == converters.MODELS:
        monkeypatch.setattr(converters, "recogniser", lambda: "")


@pytest.mark.parametrize("by", WAYS, indirect=True)
@pytest.mark.usefixtures("by")
async def test_a_signed_scan_is_read_though_a_line_of_text_lies_on_it():
    pages, reading = await read("scan-signed.pdf")

    assert "184,000 euros" in pages[0].text
    assert "88-1204" in pages[1].text
    assert (reading.report.pages_read, reading.report.pages_ocr) == (2, 2)
    assert "Page 1, 2 is a picture; its text was recognised (OCR)." in reading.notes


@pytest.mark.parametrize("by", WAYS, indirect=True)
@pytest.mark.usefixtures("by")
async def test_a_ruled_table_of_a_scan_is_read_row_by_row():
    (page,), reading = await read("scan-table.pdf")

    assert "Parameter: Iron; Result: 1.1 mg/L; Limit: 0.2 mg/L." in page.text
    assert "Parameter: Manganese; Result: 0.41 mg/L; Limit: 0.05 mg/L." in page.text
    assert reading.report.tables == 1


@pytest.mark.parametrize("by", WAYS, indirect=True)
@pytest.mark.usefixtures("by")
async def test_a_page_that_was_scanned_upside_down_is_read_and_its_words_keep_their_places():
    (page,), _ = await read("scan-upside-down.pdf")

    assert "Tuesday 8 April" in " ".join(page.text.split())
    places = {page.text[word.start : word.end]: word for word in page.words}
    # The notice begins at the top, which is below as the page is drawn.
    assert places["Notice"].top > places["April"].top > places["bucket"].top


async def test_tracked_changes_are_told():
    _, reading = await read("lease-tracked.docx")

    assert any("Tracked changes are read as accepted" in note for note in reading.notes)


async def test_the_left_column_is_read_before_the_right_though_both_were_drawn_row_by_row():
    read_text = await text("two-columns-rows.pdf")

    assert read_text.index("1781") < read_text.index("four euros")


async def test_labels_of_a_job_sheet_have_their_values_once():
    read_text = await text("job-sheet.pdf")

    assert "::" not in read_text
    assert ":;" not in read_text
    assert "26 April 2025" in read_text


async def test_a_quote_of_a_scan_is_marked_where_it_stands_in_the_picture(tmp_path):
    (page,), _ = await read("scan-table.pdf")
    start = page.text.index("0.41")
    (word,) = [word for word in page.words if word.start == start]
    record = Document("d" * 32, "o", "scan-table.pdf", media_type.PDF, 1, "", 0.0)
    marked = Marked(start, word.end, NO_CHARACTERS, (word[2:6],))

    png = await PageImages(tmp_path, 1024).image(record, CASES / "scan-table.pdf", 1, marked, 1000)

    image = Image.open(BytesIO(png)).convert("RGB")
    middle = (word.left + word.right) * image.width // 20_000
    below = word.bottom * image.height // 10_000
    red, _, blue = image.getpixel((middle, below))
    assert (red > 200, blue < 150) == (True, True)


async def test_a_mark_that_cannot_be_drawn_costs_nothing_of_the_picture(tmp_path):
    record = Document("d" * 32, "o", "f.pdf", media_type.PDF, 1, "", 0.0)
    marked = Marked(5, 10**9, 10**9, ((-5, -5, 10**9, 10**9),))

    png = await PageImages(tmp_path, 1024).image(record, CASES / "form-filled.pdf", 1, marked, 300)

    assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
async def test_a_photo_of_text_is_a_document(tmp_path, form):
    document = pypdfium2.PdfDocument(pdf([["The lamp was replaced in October."] * 3]))
    path = tmp_path / "photo"
    document[0].render(scale=3).to_pil().save(path, form)

    kind = media_type.media_type(path, "photo")
    (page,) = await read_all(ParserRun(path, kind, "photo", 10_000, AMPLE))

    assert "The lamp was replaced in October." in page.text
    assert kind == f"image/{form.lower()}"
    assert page.words[0].top < 2_000
