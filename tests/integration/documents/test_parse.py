import asyncio
import io
import os
import signal
import time
import zipfile
from contextlib import aclosing

import psutil
import pytest
from documents_files import docx, pptx, xlsx
from PIL import Image

from rig.pdf_files import pdf, placed_pdf, runaway_pdf
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers import zip_archive
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.page_image import MAX_CACHED, Marked, PageImages
from xnai.documents.parsers.process import Limits
from xnai.errors import XnaiError
from xnai.types import Document

AMPLE = Limits(120, 1024)


@pytest.fixture
def reading(tmp_path):
    """Make a reading of some content."""

    def make(content: bytes, media_type: str, limits=AMPLE, characters=10_000_000) -> ParserRun:
        path = tmp_path / "content"
        path.write_bytes(content)
        return ParserRun(path, media_type, "file", characters, limits)

    return make


async def refusal(reading) -> tuple[str, object]:
    """The code of an error and what it names besides the file."""
    with pytest.raises(XnaiError) as caught:
        await read_all(reading)
    values = caught.value.values
    return caught.value.code, values.get("reason") or values.get("resource")


async def texts(reading) -> list[tuple[int | None, str]]:
    return [(page.number, page.text) for page in await read_all(reading)]


async def test_a_pdf_is_read_page_by_page_with_its_total(reading):
    read = reading(pdf([["First page", "second line"], ["Grüße (really)"]]), sniff.PDF)
    assert [(1, "First page\nsecond line"), (2, "Grüße (really)")] == await texts(read)
    assert (2, ()) == (read.total, read.notes)


async def test_pages_without_text_are_noted(reading):
    read = reading(pdf([["words"], [], ["more"], []]), sniff.PDF)
    assert 4 == len(await read_all(read))
    assert ("No text was found on page 2, 4 (pictures only?).",) == read.notes


async def test_a_docx_becomes_markdown_on_one_page(reading):
    content = docx(["# Title", "A <paragraph>."], extra={"word/media/a.png": b"\x89PNG"})
    assert [(None, "# Title\n\nA <paragraph>.")] == await texts(reading(content, sniff.DOCX))


async def test_a_pptx_has_a_page_for_each_slide(reading):
    deck = [("One", "alpha"), ("Two", "<!-- Slide number: 9 -->"), ("Three", "gamma")]
    expected = [
        (1, "# One\nalpha"),
        (2, "# Two\n<!-- Slide number: 9 -->"),
        (3, "# Three\ngamma"),
    ]
    assert expected == await texts(reading(pptx(deck), sniff.PPTX))


async def test_an_xlsx_has_a_page_for_each_sheet(reading):
    book = xlsx({"Prices": [["item", "price"], ["tea", 2.0], [], ["a|b", None]], "Empty": []})
    table = "## Prices\n\nitem: tea; price: 2.\nitem: a|b."
    assert [(1, table), (2, "")] == await texts(reading(book, sniff.XLSX))


async def test_html_loses_scripts_and_navigation_but_keeps_its_title(reading):
    page = (
        b"<html><head><title>Teas</title><style>p{}</style></head><body><nav>Home</nav>"
        b"<script>track()</script><main><h2>Green</h2><p>Steep <b>briefly</b>.</p></main>"
        b"<img src='http://192.0.2.1/x.png' alt='leaf'><footer>(c)</footer></body></html>"
    )
    [(number, text)] = await texts(reading(page, sniff.HTML))
    assert (None, True) == (number, text.startswith("# Teas\n\n## Green\n\nSteep **briefly**."))
    assert not [word for word in ("Home", "track", "(c)", "p{}") if word in text]


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-le", "utf-8-sig"])
async def test_text_comes_out_the_same_from_every_encoding(reading, codec):
    text = "Line one, ümlaut\nline two, plain words go here\n"
    data = text.replace("\n", "\r\n").encode(codec)
    assert [(None, text)] == await texts(reading(data, sniff.TEXT))


async def test_a_shift_jis_csv_is_readable(reading):
    text = "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋\n"
    ((_, read),) = await texts(reading(text.encode("cp932"), sniff.CSV))
    assert read.startswith("名前: 佐藤太郎; 年齢: 30; 住所: 東京.\n")


async def test_control_characters_do_not_reach_the_text(reading):
    assert [(None, "ab\nc")] == await texts(reading(b"a\x07b\x0cc", sniff.TEXT))


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        (b" \n\t ", sniff.TEXT, ("file_empty", None)),
        (b"<html><body></body></html>", sniff.HTML, ("file_empty", None)),
        (pdf([[], []]), sniff.PDF, ("file_no_text", None)),
        (docx([]), sniff.DOCX, ("file_no_text", None)),
        (pdf([["x"]], encrypted=True), sniff.PDF, ("file_encrypted", None)),
        (pdf([["x" * 50]] * 60)[:9000], sniff.PDF, ("file_damaged", "its end is missing")),
        (b"%PDF-1.7 and then %%EOF", sniff.PDF, ("file_damaged", "it is not a whole PDF")),
        (docx(["x"])[:-200], sniff.DOCX, ("file_damaged", "its archive is not whole")),
        (b"\x00\x01\x02" * 99, sniff.TEXT, ("file_damaged", "it is not text")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_an_unreadable_file_says_why(reading, content, media_type, expected):
    assert expected == await refusal(reading(content, media_type))


async def test_a_docx_with_xml_entities_is_refused(reading):
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    content = docx(["&e9;"], prolog=f'<!DOCTYPE w [<!ENTITY e0 "ha">{bomb}]>')
    reason = "it defines XML entities, which no Office program writes"
    assert ("file_damaged", reason) == await refusal(reading(content, sniff.DOCX))


async def test_a_docx_that_unpacks_to_gigabytes_is_refused_at_once(reading):
    zeros = bytes(2**20)
    out = io.BytesIO(docx(["x"]))
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("word/bomb.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(zip_archive.MAX_UNPACKED // len(zeros) + 1):
            part.write(zeros)
    bomb = reading(out.getvalue(), sniff.DOCX)
    assert ("file_too_expensive", "unpacked space") == await refusal(bomb)


async def test_a_docx_that_lies_about_its_size_is_damaged(reading):
    content = docx(["word " * 50_000])
    true_size = zipfile.ZipFile(io.BytesIO(content)).getinfo("word/document.xml").file_size
    lying = content.replace(true_size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert ("file_damaged", "its archive is not whole") == await refusal(reading(lying, sniff.DOCX))


async def test_a_text_of_100_mb_is_refused_in_seconds(tmp_path):
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(b"all work and no play\n" * 50_000)
    began = time.monotonic()
    refused = await refusal(ParserRun(path, sniff.TEXT, "big.txt", 10_000_000, AMPLE))
    assert ("file_text_too_long", None) == refused
    assert time.monotonic() - began < 10


async def test_too_long_a_text_is_refused_in_every_format(reading):
    long = [
        (b"word " * 100, sniff.TEXT),
        (pdf([["word " * 10]] * 10), sniff.PDF),
        (xlsx({"s": [["word"] * 10] * 10}), sniff.XLSX),
    ]
    for content, media_type in long:
        read = reading(content, media_type, characters=300)
        assert "file_text_too_long" == (await refusal(read))[0]


async def test_a_runaway_is_ended_by_the_time_limit(reading):
    began = time.monotonic()
    read = reading(runaway_pdf("hello"), sniff.PDF, Limits(3, 8192))  # time is short, memory is not
    assert ("file_too_expensive", "time") == await refusal(read)
    assert 2 < time.monotonic() - began < 8


async def test_waiting_for_a_slow_consumer_does_not_count_as_reading_time(reading):
    # More than fits into the pipe, so that the reader stands still meanwhile.
    read = reading(pdf([["words " * 10] * 50] * 120), sniff.PDF, Limits(8, 1024))
    count = 0
    async with aclosing(read.pages()) as pages:
        async for _ in pages:
            count += 1
            await asyncio.sleep(8.2 if count == 1 else 0)
    assert 120 == count


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"<p><b>x</b>" * 300_000, sniff.HTML), (runaway_pdf("hello"), sniff.PDF)],
    ids=["python", "native"],
)
async def test_a_glutton_is_ended_by_the_memory_limit(reading, content, media_type):
    # CPython 3.11 unwinds for ever when not even an int can be had (ceval.c, exception_unwind), so
    # now and then it is the time that ends it.
    read = reading(content, media_type, Limits(30, 48))
    code, resource = await refusal(read)
    assert "file_too_expensive" == code
    assert resource == "memory" or (media_type == sniff.HTML and resource == "time")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "its reader was killed by the system, perhaps for want of memory"),
        (signal.SIGSEGV, "its reader crashed on it (SIGSEGV)"),
    ],
)
async def test_a_killed_reader_is_an_error_of_the_file(reading, number, reason):
    read = reading(runaway_pdf("hello"), sniff.PDF)
    with pytest.raises(XnaiError) as caught:
        async with aclosing(read.pages()) as pages:
            assert "hello" == (await anext(pages)).text
            os.kill(read.process_id, number)
            await anext(pages)
    assert ("file_damaged", reason) == (caught.value.code, caught.value.values["reason"])


async def test_leaving_a_reading_ends_its_process(reading):
    read = reading(runaway_pdf("hello"), sniff.PDF)
    async with aclosing(read.pages()) as pages:
        await anext(pages)
        assert psutil.pid_exists(read.process_id)
    assert not psutil.pid_exists(read.process_id)


async def test_the_event_loop_stays_free_while_a_document_is_read(reading):
    read = reading(pdf([["words " * 15] * 55] * 300), sniff.PDF)
    begun = time.monotonic()
    worst, last, done = 0.0, begun, False

    async def tick() -> None:
        nonlocal worst, last
        while not done:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            worst, last = max(worst, now - last), now

    ticking = asyncio.create_task(tick())
    await read_all(read)
    done = True
    await ticking
    assert worst < max(0.5, (last - begun) / 2)  # not for as long as the reading takes


LINES = ["nothing here", "the marked words stand here", "nor here"]


def marks(png: bytes) -> tuple[tuple[int, int], tuple[int, int, int, int] | None]:
    """Size of a picture, and the box of what is yellow in it."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    blue = image.getchannel("B").point(lambda value: 255 if value < 150 else 0)
    red = image.getchannel("R").point(lambda value: 255 if value > 200 else 0)
    yellow = Image.composite(blue, Image.new("L", image.size), red)
    return image.size, yellow.getbbox()


@pytest.fixture
def images(tmp_path):
    return PageImages(tmp_path / "images", 1024)


@pytest.fixture
def drawn(tmp_path, images):
    """Draw a page of a PDF with a range marked."""
    path = tmp_path / "drawn.pdf"

    async def draw(content: bytes, marked, *, page=1, width=595, characters=0) -> bytes:
        path.write_bytes(content)
        record = Document("d" * 32, "o", "f.pdf", sniff.PDF, 1, "", 0.0)
        return await images.image(record, path, page, Marked(*marked, characters), width)

    return draw


async def test_the_marked_words_are_yellow_on_the_page(drawn):
    text = "\n".join(LINES)
    start = text.index("marked words")
    size, box = marks(await drawn(pdf([LINES]), (start, start + len("marked words"))))
    assert (595, 842) == size
    left, top, right, bottom = box
    # Line two has its base line at y=756, 86 pixels from the top, and begins at x=72.
    assert (True, True) == (70 < top < 80, 84 < bottom < 94)
    assert (True, True) == (85 < left < 95, 145 < right < 165)


async def test_marks_of_several_lines_reach_from_the_first_to_the_last(drawn):
    _, box = marks(await drawn(pdf([LINES]), (0, len("\n".join(LINES)))))
    assert (True, True) == (box[1] < 68, box[3] > 95)


async def test_marks_follow_a_rotated_page(drawn):
    size, box = marks(await drawn(pdf([LINES], rotate=90), (0, 99), width=842))
    assert (842, 595) == size
    # Turned clockwise, what was at the top left is at the top right.
    assert (True, True, True) == (box[0] > 735, box[2] < 785, 60 < box[1] < 80)


CELLS = [["Name", "Born"], *([f"Person {n}", str(1900 + n)] for n in range(6))]
# Written column by column; cells are 20 points high.
TABLE = placed_pdf(
    [([(72 + 90 * c, 700 - 20 * r, 11, CELLS[r][c]) for c in (0, 1) for r in range(7)], ())]
)


async def test_a_row_of_a_table_is_marked_where_it_stands(drawn, reading):
    ((_, text),) = await texts(reading(TABLE, sniff.PDF))
    row = "Name: Person 3; Born: 1903."
    start = text.index(row)
    _, (left, top, right, bottom) = marks(
        await drawn(TABLE, (start, start + len(row)), characters=len(text))
    )
    # Its base line is at y=620, 222 pixels from the top.
    assert (True, True) == (70 < left < 80, 185 < right < 195)
    assert (True, True) == (208 < top < 222, 222 < bottom < 228)


async def test_what_an_earlier_version_read_is_marked_in_its_order(drawn):
    text = "\n".join(CELLS[r][c] for c in (0, 1) for r in range(7))
    start = text.index("1903")
    _, (left, top, right, bottom) = marks(
        await drawn(TABLE, (start, start + 4), characters=len(text))
    )
    assert (True, True) == (158 < left < 168, 185 < right < 195)
    assert (True, True) == (208 < top < 222, 222 < bottom < 228)


async def test_a_range_outside_the_text_marks_nothing(drawn):
    assert None is marks(await drawn(pdf([LINES]), (5000, 6000)))[1]


@pytest.mark.parametrize(("asked", "drawn_width"), [(1, 200), (700, 700), (99_999, 2000)])
async def test_the_width_is_kept_within_bounds(drawn, asked, drawn_width):
    assert drawn_width == marks(await drawn(pdf([["x"]]), (0, 1), width=asked))[0][0]


async def test_a_page_a_mile_high_is_drawn_smaller(drawn):
    tall = pdf([["x"]]).replace(b"[0 0 595 842]", b"[0 0 9 14400]")
    (width, height), _ = marks(await drawn(tall, (0, 1), width=2000))
    assert width * height < 17_000_000


async def test_a_page_that_is_not_there_is_not_found(drawn):
    with pytest.raises(XnaiError) as caught:
        await drawn(pdf([["x"]]), (0, 1), page=2)
    assert "not_found" == caught.value.code


async def test_a_picture_is_made_once(drawn):
    first = await drawn(pdf([["x"]]), (0, 1))
    assert first == await drawn(b"gone", (0, 1))


async def test_old_pictures_are_forgotten(drawn, images, tmp_path):
    folder = tmp_path / "images" / ("e" * 32)
    folder.mkdir(parents=True)
    for number in range(MAX_CACHED):
        (folder / f"{number}.png").write_bytes(b"")
        os.utime(folder / f"{number}.png", (number, number))
    await drawn(pdf([["x"]]), (0, 1))
    kept = {path.name for path in (tmp_path / "images").glob("*/*.png")}
    assert (MAX_CACHED, False, True) == (len(kept), "0.png" in kept, "1.png" in kept)
    images.remove("d" * 32)
    assert not (tmp_path / "images" / ("d" * 32)).exists()
