"""Documents as people have them: with headers on each page, divided words, tables, mail, books."""

import asyncio
import base64
import contextlib
import datetime as dt
import sys
import time
from email.message import EmailMessage
from io import BytesIO
from types import SimpleNamespace

import openpyxl
import psutil
import pypdfium2
import pytest
from documents_files import epub, pptx, xlsx
from openpyxl.comments import Comment
from PIL import Image

from rig.pdf_files import pdf, placed_pdf
from rig.waiting import eventually
from xnai.documents.parsers import converters, media_type, process
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.process import Limits
from xnai.errors import XnaiError

AMPLE = Limits(60, 1024)


@pytest.fixture
def read(tmp_path):
    """Read content whose kind is told by itself and its name."""

    async def reading(content: bytes, name: str, characters: int = 1_000_000) -> list[str]:
        path = tmp_path / "content"
        path.write_bytes(content)
        kind = media_type.media_type(path, name)
        pages = await read_all(ParserRun(path, kind, name, characters, AMPLE))
        return [page.text for page in pages]

    return reading


WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")
HEADER = "ACME Annual Report 2024"


def report(count: int) -> bytes:
    """Pages with a header, text of their own, and a footer that counts them."""
    return placed_pdf(
        [
            (
                [
                    (72, 800, 11, HEADER),
                    *((72, 600 - 14 * n, 11, f"Chapter {word} says {n}.") for n in range(9)),
                    (280, 30, 9, f"Page {number} of {count}"),
                ],
                (),
            )
            for number, word in enumerate(WORDS[:count], start=1)
        ]
    )


async def test_headers_and_footers_repeated_on_each_page_are_blanked_in_their_place(read):
    pages = await read(report(5), "r.pdf")

    assert [HEADER in page for page in pages] == [True, False, False, False, False]
    assert not any("Page" in page for page in pages)
    assert all(f"Chapter {word} says 8." in page for word, page in zip(WORDS, pages, strict=True))
    assert pages[1].index("Chapter") == len(f"{HEADER}\n")


async def test_of_three_pages_nothing_is_taken_for_a_header(read):
    assert all(HEADER in page for page in await read(report(3), "r.pdf"))


async def test_a_line_that_is_no_ones_neighbour_stays(read):
    pages = await read(pdf([[f"Title of {w}", "words", w] for w in ("ab", "cd", "ef")]), "t.pdf")

    assert [page.split("\n")[0] for page in pages] == ["Title of ab", "Title of cd", "Title of ef"]


async def test_a_word_divided_at_the_end_of_a_line_is_put_together(read):
    lines = ["They main-", "tain the lamp. Mr. Smith-", "Jones left in 1990-", "91."]

    (page,) = await read(pdf([lines]), "h.pdf")

    assert page == "They maintain the lamp. Mr. Smith-Jones left in 1990-\n91."


@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_each_row_of_a_table_says_what_its_cells_are(read, separator):
    rows = [["name", "born"], *([f"Person {n}", str(1900 + n)] for n in range(100))]
    content = "\n".join(separator.join(row) for row in rows).encode()

    (page,) = await read(content, "people.csv")

    assert page.split("\n") == [f"name: Person {n}; born: {1900 + n}." for n in range(100)]


async def test_each_row_of_a_sheet_says_what_its_cells_are(read):
    rows = [["item", "price"], *([f"Article {n}", n] for n in range(100))]

    (page,) = await read(xlsx({"Prices": rows}), "p.xlsx")

    assert page.split("\n")[2:] == [f"item: Article {n}; price: {n}." for n in range(100)]


async def test_shares_and_codes_of_a_sheet_are_read_as_they_are_shown(read):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (("Product", "Rate", "Code"), ("Loan", 0.068, 42), ("Savings", 0.0275, 7)):
        sheet.append(row)
    for number, form in ((2, "0.0%"), (3, "0.00%")):
        sheet.cell(number, 2).number_format = form
        sheet.cell(number, 3).number_format = "00000"
    content = BytesIO()
    book.save(content)

    (page,) = await read(content.getvalue(), "rates.xlsx")

    assert "Product: Loan; Rate: 6.8%; Code: 00042." in page
    assert "Product: Savings; Rate: 2.75%; Code: 00007." in page


async def test_of_two_columns_the_first_may_name_what_is_in_the_second(read):
    rows = [["Company", "Bellamy & Sons"], ["Town", "Norwick"], ["Founded", 1904]]

    (page,) = await read(xlsx({"About": rows}), "a.xlsx")

    assert page == "## About\n\nCompany: Bellamy & Sons.\nTown: Norwick.\nFounded: 1904."


async def test_a_title_above_the_headings_of_a_sheet_is_no_heading(read):
    rows = [["Prices of 2024"], [], ["item", "price"], ["lamp", 12], ["rope", 3]]

    (page,) = await read(xlsx({"S": rows}), "p.xlsx")

    assert page == "## S\n\nPrices of 2024\nitem: lamp; price: 12.\nitem: rope; price: 3."


async def test_a_second_table_of_a_sheet_has_its_own_headings(read):
    rows = [["item", "price"], ["lamp", 12], [], ["town", "mayor", "of"], ["Norwick", "Holm", 1]]

    (page,) = await read(xlsx({"S": rows}), "p.xlsx")

    assert page.endswith("item: lamp; price: 12.\n\ntown: Norwick; mayor: Holm; of: 1.")


async def test_a_sheet_of_one_column_keeps_all_of_it(read):
    (page,) = await read(xlsx({"S": [["name"], *([f"Person {n}"] for n in range(40))]}), "p.xlsx")

    assert page.split("\n")[2:] == ["name", *(f"Person {n}" for n in range(40))]


FIGURES = "".join(f"<tr><td>Person {n}</td><td>{1900 + n},5 %</td></tr>" for n in range(60))


@pytest.mark.parametrize("name", ["t.html", "b.epub"])
async def test_each_row_of_a_table_of_a_page_says_what_its_cells_are(read, name):
    table = f"<table><tr><th>name</th><th>share</th></tr>{FIGURES}</table>"
    html = f"<html><body><p>All of them:</p>{table}</body></html>".encode()

    (page,) = await read(html if name == "t.html" else epub([("All", table)], raw=True), name)

    expected = [f"name: Person {n}; share: {1900 + n},5 %." for n in range(60)]
    assert [line for line in page.split("\n") if "Person" in line] == expected


async def test_of_a_saved_page_only_its_content_is_read(read):
    html = (
        "<html><head><title>The lamp</title></head><body><div role='banner'>Our shop</div>"
        "<ul role='navigation'><li>Home</li></ul><main><h1>The lamp</h1><p>It was <a href='/r'>"
        "replaced</a> in 1987, see <a href='https://example.org/'>the book</a>.</p>"
        "<img src='/x.png' alt='The tower at night'></main><aside>Buy now!</aside></body></html>"
    )

    (page,) = await read(html.encode(), "p.html")

    assert page == (
        "# The lamp\n\nIt was replaced in 1987, see [the book](https://example.org/).\n\n"
        "The tower at night"
    )


async def test_the_notes_of_a_slide_are_on_its_page(read):
    pages = await read(
        pptx([("One", "alpha"), ("Two", "beta")], notes=["", "Smile here."]), "s.pptx"
    )

    assert [("Smile here." in page, "beta" in page) for page in pages] == [
        (False, False),
        (True, True),
    ]


async def test_a_csv_with_line_breaks_in_cells_keeps_its_rows(read):
    (page,) = await read(b'name,address\nAda,"High St\nNorwick"\n', "a.csv")

    assert "Ada: High St Norwick." in page


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ada Holm <ada@example.org>"
    mail["To"] = "keepers@example.org"
    mail["Date"] = "Tue, 06 Oct 1987 10:00:00 +0000"
    mail["Subject"] = "The lamp: größer"
    return mail


async def test_a_message_is_read_with_its_headers_and_the_names_of_what_is_attached(read):
    mail = message()
    mail.set_content("The new lamp comes on Friday — 10 o'clock.")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="../lamp.png")

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "From: Ada Holm <ada@example.org>" in page
    assert "Subject: The lamp: größer" in page
    assert "The new lamp comes on Friday — 10 o'clock.\n" in page
    assert page.endswith("Attachments (not read): lamp.png")


def attach(mail: EmailMessage, name: str, content: bytes) -> None:
    mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)


async def test_what_is_attached_to_a_message_is_read_after_its_text(read):
    mail = message()
    mail.set_content("See the files.")
    attach(mail, "report.pdf", report(2))
    attach(mail, "keepers.csv", b"name,year\nAda Holm,1987\nBen Ray,1954\n")
    attach(mail, "slides.pptx", pptx([("One", "alpha lamp")]))
    attach(mail, "notes.txt", b"The lamp has 1,000 watts.")

    (page,) = await read(mail.as_bytes(), "m.eml")

    titles = ["See the files.", "report.pdf", "keepers.csv", "slides.pptx", "notes.txt"]
    assert sorted(titles, key=page.index) == titles
    assert "Attachment: report.pdf\n\nPage 1:\n" in page
    assert "Chapter beta says 0." in page.split("Page 2:\n")[1]
    assert "name: Ada Holm; year: 1987" in page
    assert "alpha lamp" in page
    assert "Attachment: notes.txt\n\nThe lamp has 1,000 watts." in page
    assert "not read" not in page


async def test_a_message_within_a_message_is_read_with_what_is_attached_to_it(read):
    inner = message()
    inner.replace_header("Subject", "The first order")
    inner.set_content("We order a lamp.")
    attach(inner, "order.txt", b"One lamp of 1,000 watts.")
    mail = message()
    mail.set_content("As ordered.")
    mail.add_attachment(inner)

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "Attachment: The first order.eml\n\nFrom: Ada Holm" in page
    assert page.index("We order a lamp.") < page.index("One lamp of 1,000 watts.")


async def test_messages_within_messages_are_not_read_for_ever(read):
    mail = message()
    mail.set_content("The innermost.")
    for depth in range(40):
        outer = message()
        outer.set_content(f"At {depth}.")
        outer.add_attachment(mail)
        mail = outer

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "At 39." in page
    assert "At 37." in page
    assert "At 36." not in page


async def test_an_attachment_that_cannot_be_read_is_named_and_the_rest_is_read(tmp_path):
    mail = message()
    mail.set_content("See the files.")
    for name, content in (
        ("half.pdf", report(2)[:700]),
        ("broken.docx", pptx([("One", "alpha")])[:300]),
        ("tool.exe", b"MZ" + bytes(100)),
        ("empty.txt", b""),
        ("notes.txt", b"The lamp has 1,000 watts."),
    ):
        attach(mail, name, content)
    path = tmp_path / "content"
    path.write_bytes(mail.as_bytes())

    reading = ParserRun(path, media_type.MAIL, "m.eml", 1_000_000, AMPLE)
    (page,) = await read_all(reading)

    assert "The lamp has 1,000 watts." in page.text
    assert reading.notes == (
        "Not read of what is in it: half.pdf, broken.docx, tool.exe, empty.txt.",
    )


async def test_an_attachment_that_is_longer_than_a_document_may_be_is_named(read):
    mail = message()
    mail.set_content("See the files.")
    attach(mail, "long.txt", b"word " * 500)
    attach(mail, "short.txt", b"The lamp has 1,000 watts.")

    (page,) = await read(mail.as_bytes(), "m.eml", 1000)

    assert "The lamp has 1,000 watts." in page
    assert page.endswith("Attachments (not read): long.txt")


OUTER = (
    b"From: ada@example.org\nTo: keepers@example.org\nSubject: The lamp\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: text/plain\n\nSee what was passed on.\n"
)


def holding(part: bytes) -> bytes:
    """A message with one more part, as it is."""
    return OUTER + b"--b\n" + part + b"\n--b--\n"


@pytest.mark.parametrize(
    "inner",
    [
        b"Content-Type: text/plain; charset=x-unknown-99\n\nx",
        b'From: "\nSubject: s\n\nWe order a lamp.',
        b"From: <\nSubject: s\n\nWe order a lamp.",
        b"Date: Mon, 1 Jan 99999999999 10:00:00 +0000\nSubject: s\n\nWe order a lamp.",
        b"Subject: =?utf-8?q??=\nTo: a@b\n\nWe order a lamp.",
        b"",
    ],
)
async def test_a_malformed_message_within_costs_nothing_of_the_one_around_it(read, inner):
    (page,) = await read(holding(b"Content-Type: message/rfc822\n\n" + inner), "m.eml")

    assert "See what was passed on." in page
    if b"lamp" in inner:
        assert "We order a lamp." in page


async def test_a_message_passed_on_in_base64_is_read_as_one(read):
    inner = message()
    inner.set_content("We order a lamp.")
    head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"

    (page,) = await read(holding(head + base64.encodebytes(inner.as_bytes())), "m.eml")

    assert "We order a lamp." in page
    assert "base64" not in page


async def test_messages_attached_as_files_are_not_read_for_ever(read):
    mail = message()
    mail.set_content("The innermost.")
    for depth in range(10):
        outer = message()
        outer.set_content(f"At {depth}.")
        attach(outer, "m.eml", mail.as_bytes())
        mail = outer

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "At 7." in page
    assert "At 6." not in page


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-2022-jp", "灯台は1954年"),
        ("koi8-r", "Маяк построен"),
        ("iso-8859-2", "Příliš žluťoučký"),
    ],
)
async def test_an_attached_text_is_read_in_the_encoding_that_it_names(read, charset, text):
    mail = message()
    mail.set_content("See the file.")
    mail.add_attachment(
        text.encode(charset), maintype="text", subtype="plain", filename="a.txt",
        params={"charset": charset},
    )  # fmt: skip

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert text in page


def alternative() -> EmailMessage:
    """A message as some programs write it: its files lie beside the HTML, within the choice."""
    mail = message()
    mail.set_content("The text.")
    mail.add_alternative("<p>The text.</p>", subtype="html")
    choice = mail.get_payload()[1]
    choice.make_mixed()
    attach(choice, "keepers.csv", b"name,year\nAda Holm,1987\n")
    return mail


def list_mail() -> EmailMessage:
    """A message to which a mailing list has added its footer."""
    inner = message()
    inner.set_content("The text.")
    attach(inner, "keepers.csv", b"name,year\nAda Holm,1987\n")
    for name in ("From", "To", "Date", "Subject"):
        del inner[name]
    mail = message()
    mail.make_mixed()
    mail.attach(inner)
    footer = EmailMessage()
    footer.set_content("The list's footer.")
    mail.attach(footer)
    return mail


@pytest.mark.parametrize("made", [alternative, list_mail])
async def test_files_are_found_wherever_a_message_has_them(read, made):
    (page,) = await read(made().as_bytes(), "m.eml")

    assert page.count("The text.") == 1
    assert "name: Ada Holm; year: 1987" in page
    assert "not read" not in page
    assert made is alternative or "The list's footer." in page


async def test_a_signature_is_no_attachment_and_a_scan_without_text_is_named(read):
    mail = message()
    mail.set_content("Signed.")
    mail.add_attachment(
        b"-----BEGIN PGP SIGNATURE-----", maintype="application", subtype="pgp-signature",
        filename="signature.asc",
    )  # fmt: skip
    attach(mail, "empty.pdf", pdf([[]]))

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "PGP" not in page
    assert page.endswith("Attachments (not read): empty.pdf")


async def test_the_reader_of_a_message_can_write_no_large_file(tmp_path):
    script = (
        "from xnai.processes.sandbox.limits import limit\n"
        "import sys\nlimit(512, 5, 1000)\nopen(sys.argv[1], 'wb').write(bytes(2000))"
    )
    target = tmp_path / "written"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(target))
    await process.wait()

    assert target.stat().st_size == 1000


async def test_a_message_of_html_alone_is_read_without_its_markup(read):
    mail = message()
    mail.set_content("<p>The <b>lamp</b> comes.</p><script>alert(1)</script>", subtype="html")

    (page,) = await read(mail.as_bytes(), "m.eml")

    assert "The **lamp** comes." in page
    assert "alert" not in page


async def test_a_text_with_a_few_colons_is_no_message(tmp_path):
    path = tmp_path / "notes"
    path.write_text("To: buy\nmilk: two\n\nDate: tomorrow\n", encoding="utf-8")

    assert media_type.media_type(path, "notes.txt") == media_type.TEXT


async def test_a_book_has_a_page_for_each_chapter_in_reading_order(read):
    content = epub([("One", "alpha & omega"), ("Two", "beta")], reading_order=[1, 0])

    assert await read(content, "b.epub") == ["# Two\n\nbeta", "# One\n\nalpha & omega"]


async def test_a_book_that_is_longer_than_allowed_is_refused(read):
    with pytest.raises(XnaiError) as caught:
        await read(epub([("One", "word " * 500)]), "b.epub", 1000)

    assert caught.value.code == "file_text_too_long"


async def test_a_book_without_contents_is_damaged(read):
    whole = epub([("One", "alpha")])

    with pytest.raises(XnaiError) as caught:
        await read(whole.replace(b"META-INF/container.xml", b"META-INF/contained.xml"), "b.epub")

    assert caught.value.code == "file_damaged"


def scan(lines: list[str], copies: int = 1, pages: int = 1) -> bytes:
    """A PDF whose pages are each a picture of text, or of so many squared copies of it."""
    drawn = pypdfium2.PdfDocument(pdf([lines]))[0].render(scale=3).to_pil()
    sheet = Image.new("RGB", (drawn.width * copies, drawn.height * copies))
    for n in range(copies**2):
        sheet.paste(drawn, (n // copies * drawn.width, n % copies * drawn.height))
    buffer = BytesIO()
    more = [sheet] * (pages - 1)
    sheet.save(buffer, "PDF", resolution=216, save_all=True, append_images=more)
    return buffer.getvalue()


async def test_the_text_of_a_scan_is_recognised_and_that_is_noted(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(scan(["The lamp was replaced in October.", "The keepers bake bread."]))
    reading = ParserRun(path, media_type.PDF, "scan.pdf", 10_000, AMPLE)

    (page,) = await read_all(reading)

    assert "The lamp was replaced in October." in page.text
    assert reading.notes == ("Page 1 is a picture; its text was recognised (OCR).",)


@pytest.fixture
def slow_pictures(monkeypatch):
    """Have every picture take fifty seconds, as the server's clock says."""
    late, read_by, clock = [0.0], converters.recognise, time.monotonic

    async def recognise(picture: bytes, seconds: float, **how: bool) -> str:
        late[0] += 50
        return await read_by(picture, seconds, **how)

    monkeypatch.setattr(converters, "recognise", recognise)
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: clock() + late[0]))


@pytest.mark.usefixtures("slow_pictures")
async def test_the_time_in_which_pictures_are_read_is_not_that_of_the_reader(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(scan(["The lamp was replaced in October."], pages=3))

    pages = await read_all(ParserRun(path, media_type.PDF, "scan.pdf", 10_000, AMPLE))

    assert ["lamp was replaced" in page.text for page in pages] == [True] * 3


@pytest.mark.usefixtures("slow_pictures")
async def test_pictures_beyond_the_time_of_a_document_stay_unread_and_that_is_told(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(converters, "DOCUMENT_SECONDS", 70.0)
    path = tmp_path / "scan"
    path.write_bytes(scan(["The lamp was replaced in October."], pages=3))
    reading = ParserRun(path, media_type.PDF, "scan.pdf", 10_000, AMPLE)

    pages = await read_all(reading)

    assert ["lamp was replaced" in page.text for page in pages] == [True, True, False]
    assert reading.report.pictures_unread == 1
    assert "No text was found on page 3 (pictures only?)." in reading.notes


async def recognising() -> tuple[psutil.Process, psutil.Process]:
    """The reader of a scan and the program that recognises its text, once that has the picture."""

    def both() -> tuple[psutil.Process, psutil.Process] | None:
        with contextlib.suppress(psutil.Error):
            found = {process.name(): process for process in psutil.Process().children()}
            if "tesseract" in found and found["tesseract"].cpu_times().user > 0.5:
                (reader,) = (one for name, one in found.items() if name != "tesseract")
                return reader, found["tesseract"]
        return None

    found = await eventually(both, "tesseract at work", pace=0.01)
    assert found is not None
    return found


@pytest.mark.parametrize("end", ["stopped", "crashed"])
async def test_the_program_that_recognises_text_ends_with_its_reader(tmp_path, end):
    path = tmp_path / "scan"
    lines = [f"Line {n} is long: " + "many words to read " * 4 for n in range(50)]
    path.write_bytes(scan(lines, copies=2))
    read = asyncio.create_task(read_all(ParserRun(path, media_type.PDF, "scan.pdf", 10**6, AMPLE)))
    reader, program = await recognising()

    read.cancel() if end == "stopped" else reader.kill()
    await asyncio.gather(read, return_exceptions=True)

    _, alive = await asyncio.to_thread(psutil.wait_procs, [program], 1)
    assert [] == [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


async def test_where_nothing_reads_pictures_a_scan_is_refused_with_its_name(read, monkeypatch):
    monkeypatch.setattr(converters, "recognisers", tuple)

    with pytest.raises(XnaiError) as caught:
        await read(scan(["The lamp was replaced."]), "scan.pdf")

    assert caught.value.code == "file_no_text"
    assert "apt install tesseract-ocr" in caught.value.hint


async def test_the_line_that_tells_excel_what_parts_cells_is_no_text(read):
    table = b"sep=;\r\nDay;Meter;kWh\r\n1 May;Cellar;1,204\r\n2 May;Cellar;1,377\r\n"
    assert (await read(table, "a.csv")) == [
        "Day: 1 May; Meter: Cellar; kWh: 1,204.\nDay: 2 May; Meter: Cellar; kWh: 1,377."
    ]


async def test_amounts_of_a_sheet_have_their_decimals_and_currency(read):
    book = openpyxl.Workbook()
    book.active.append(["Flat", "Rent", "Deposit", "Share"])
    book.active.append(["Left", 612.5, 1300, 3.25])
    for cell, form in zip("BCD", ("#,##0.00 €", '"$"#,##0.00', "0.0"), strict=True):
        book.active[f"{cell}2"].number_format = form
    content = BytesIO()
    book.save(content)
    (text,) = await read(content.getvalue(), "a.xlsx")
    assert "Rent: 612.50 €; Deposit: $1300.00; Share: 3.3." in text


async def test_a_calendar_has_labels_values_and_dates(read):
    lines = [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:1",
        "SUMMARY:Dentist\\, check",
        "DTSTART;TZID=Europe/Oslo:20240614T043500",
        "DTEND:20240614T050000Z",
        "DESCRIPTION:Bring the bi",
        " ll.",
        "ATTENDEE;CN=Ada Holm:mailto:ada@x.example",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    assert (await read("\r\n".join(lines).encode(), "a.ics"))[0] == (
        "Event\nTitle: Dentist, check\nBegins: 2024-06-14 04:35 (Europe/Oslo)\n"
        "Ends: 2024-06-14 05:00 UTC\nDescription: Bring the bill.\n"
        "Attendee: Ada Holm (ada@x.example)"
    )


async def test_what_is_filled_into_a_page_is_read(read):
    page = (
        "<p><label>Berth <select><option>A<option selected>B</select></label> "
        "<label><input type=checkbox checked> Electricity</label> "
        "<label><input type=checkbox> Water</label> <label>Boat <input value=Skua></label></p>"
        "<input type=checkbox role=button>"
    )
    (text,) = await read(page.encode(), "a.html")
    assert " ".join(text.split()) == "Berth B [x] Electricity [ ] Water Boat Skua"


async def test_cells_whose_ends_are_left_out_are_cells(read):
    page = "<table><tr><th>Berth<th>Fee<tr><td>North<td>12<tr><td>South<td>14</table>"
    (text,) = await read(page.encode(), "a.html")
    assert text.strip() == "Berth: North; Fee: 12.\nBerth: South; Fee: 14."


async def test_a_table_in_one_that_lays_out_a_mail_keeps_its_labels(read):
    inner = "<table><tr><th>From</th><th>Price</th></tr><tr><td>Fjell</td><td>38.00</td></tr>"
    inner += "<tr><td>Tarn</td><td>42.00</td></tr></table>"
    page = f"<table><tr><td>Your booking</td></tr><tr><td>{inner}</td></tr></table>"
    (text,) = await read(page.encode(), "a.html")
    assert "From: Fjell; Price: 38.00.\nFrom: Tarn; Price: 42.00." in text


async def test_a_sum_below_a_table_is_said_once(read):
    page = (
        "<table><tr><th>Pos<th>Article<th>Price<tr><td>1<td>Rope<td>12.00"
        "<tr><td>2<td>Buoy<td>30.00<tr><td colspan=2>Net<td>42.00</table>"
    )
    (text,) = await read(page.encode(), "a.html")
    assert text.strip().endswith("Pos: Net; Price: 42.00.")


async def test_sums_durations_and_comments_of_a_sheet(read):
    book = openpyxl.Workbook()
    sheet = book.active
    rows = [["Item", "Price", "Sum"], ["Box", 8.5, 17], ["Bag", 11, 22], [None, "Total", 39]]
    for row in rows:
        sheet.append(row)
    sheet["A2"].comment = Comment("Out of stock", "Ada")
    hours = book.create_sheet("Hours")
    hours.append(["Who", "From", "Hours"])
    hours.append(["Moe", dt.time(7, 30), dt.timedelta(hours=30)])
    content = BytesIO()
    book.save(content)
    first, second = await read(content.getvalue(), "a.xlsx")
    assert "\nTotal: 39." in first
    assert first.endswith("Comment by Ada on A2: Out of stock")
    assert "Who: Moe; From: 07:30; Hours: 30:00." in second


async def test_a_mail_whose_plain_text_says_nothing_is_read_by_its_html(read):
    message = EmailMessage()
    message.set_content("Your mail program shows no HTML.")
    words = "<p>Your flight leaves on 14 June at 04:35 from gate B7, not from A2.</p>" * 3
    message.add_alternative(words, subtype="html")
    (text,) = await read(message.as_bytes(), "a.eml")
    assert "gate B7" in text
    assert "shows no HTML" not in text


async def test_numbers_of_notes_stand_apart_from_words(read):
    page = '<html><body><p>40 litres<sup><a href="#n">1</a></sup> on 300 m<sup>2</sup></p>'
    assert "40 litres [1] on 300 m2" in (await read(page.encode(), "a.html"))[0]
    page = "<html><body><p>some 10<sup>3</sup> litres<sup>2</sup></p>"
    assert "10³ litres [2]" in (await read(page.encode(), "a.html"))[0]
