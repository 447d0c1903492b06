"""The reader: a PDF by pdf.js, with text to select and to find, and texts as they were read."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser_pages import visit
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from saying_endpoint import saying_server

from rig.pdf_files import pdf
from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

WAIT = 60_000
NOTES = (
    "# Rules\n\nThe gate is green.\n\n"
    "| Boat | Fee |\n| --- | --- |\n| Small | 12 |\n| Large | 30 |\n"
)
SELECTED = """() => { const range = document.createRange();
  range.selectNodeContents(document.querySelector('[data-page-number="2"] .textLayer'));
  getSelection().removeAllRanges(); getSelection().addRange(range);
  return getSelection().toString(); }"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("viewer")) as server:
        yield server


@pytest.fixture(scope="module")
def cited(chat: Server, handbook: Path) -> str:
    """The address of a passage on the second page of a PDF."""
    file_id = chat.upload("keepers.pdf", handbook.read_bytes())
    text = httpx.get(f"{chat.url}/v1/files/{file_id}/pages/2").json()["text"]
    start = text.index("October 1987")
    return f"/reader/{file_id}?page=2&start={start}&end={start + len('October 1987')}"


@pytest.fixture
def reader(page: Page, chat: Server, cited: str) -> Page:
    page.goto(f"{chat.url}{cited}")
    expect(page.locator("[data-page-number='2'] .xnai-layer mark")).to_be_visible(timeout=WAIT)
    expect(page.locator("[data-page-number='2'] .textLayer")).to_contain_text("October 1987")
    return page


def test_a_pdf_has_text_to_select_and_its_passage_is_marked(reader: Page, shot):
    assert "It flashes three times every twenty seconds." in " ".join(
        reader.evaluate(SELECTED).split()
    )
    mark = reader.locator(".xnai-layer mark").bounding_box()
    line = reader.locator(".textLayer span", has_text="October 1987").first.bounding_box()
    assert mark["y"] < line["y"] + line["height"]
    assert line["y"] < mark["y"] + mark["height"]
    assert line["x"] - 3 <= mark["x"] <= line["x"] + line["width"]
    shot("40-viewer")


def test_words_are_found_in_the_whole_document(reader: Page, shot):
    reader.keyboard.press("Control+f")
    find = reader.locator(".xnai-find input")
    expect(find).to_be_focused()
    find.fill("KEEPERS")
    expect(reader.locator(".xnai-find output")).to_have_text("3/3")
    expect(reader.locator(".textLayer .highlight.selected")).to_have_text("keepers")
    reader.keyboard.press("Enter")
    expect(reader.locator(".xnai-find output")).to_have_text("1/3")
    shot("41-found")
    find.fill("nowhere at all")
    expect(reader.locator(".xnai-find output")).to_have_text("0/0")


def test_pages_are_turned_and_made_larger(reader: Page):
    sheet, number = reader.locator("[data-page-number='2']"), reader.locator(".xnai-page-number")
    fitting = sheet.bounding_box()["width"]
    reader.locator("[data-do=larger]").click()
    reader.wait_for_function(
        "(width) => document.querySelector('[data-page-number=\"2\"]').offsetWidth > width + 5",
        arg=fitting,
    )
    reader.locator("[data-do=fit]").click()
    reader.wait_for_function(
        "(w) => Math.abs(document.querySelector('[data-page-number=\"2\"]').offsetWidth - w) < 5",
        arg=fitting,
    )
    number.fill("3")
    number.press("Enter")
    expect(reader.locator("[data-page-number='3'] .textLayer")).to_contain_text("force nine")
    reader.locator("[data-do=before]").click()
    expect(number).to_have_value("2")
    number.fill("99")
    number.press("Enter")
    expect(number).to_have_value("3")


def test_everything_comes_from_this_server_and_nothing_is_refused(
    page: Page, chat: Server, cited: str
):
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{chat.url}{cited}")
    expect(page.locator("[data-page-number='2'] .textLayer span").first).to_be_attached(
        timeout=WAIT
    )
    assert any("/public/vendor/pdfjs-dist/build/pdf.worker.min.mjs" in url for url in asked)
    assert [url for url in asked if not url.startswith((chat.url, "data:", "blob:"))] == []
    assert told == []


def test_what_pdfjs_cannot_open_is_the_servers_picture(page: Page, chat: Server, cited: str):
    page.route("**/content", lambda route: route.fulfill(body=b"no PDF"))
    page.goto(f"{chat.url}{cited}")
    picture = page.locator(".xnai-picture")
    page.wait_for_function("() => document.querySelector('.xnai-picture').naturalWidth > 0")
    expect(page.locator(".xnai-turn")).to_contain_text("Page 2 of 3")
    expect(picture).to_be_visible()
    expect(page.locator(".xnai-tools")).to_be_hidden()


def test_on_a_phone_the_reader_covers_the_chat(browser: Browser, chat: Server, cited: str):
    phone = browser.new_context(viewport={"width": 375, "height": 700}, has_touch=True)
    page = phone.new_page()
    visit(page, chat.url)
    page.evaluate(
        """(where) => { const link = document.createElement('a'); link.href = where;
        link.id = 'cited'; link.textContent = '[1]'; document.getElementById('root').append(link);
        link.click(); }""",
        cited,
    )
    expect(page.locator("#xnai-reader .xnai-layer mark")).to_be_visible(timeout=WAIT)
    box = page.locator("#xnai-reader").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 375, 700)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.keyboard.press("Escape")
    expect(page.locator("#xnai-reader")).to_have_count(0)
    phone.close()


def test_a_text_is_shown_as_it_was_read(page: Page, chat: Server):
    file_id = chat.upload("rules.md", NOTES.encode())
    text = page.request.get(f"{chat.url}/v1/files/{file_id}/pages/0").json()["text"]
    row = "Boat: Large; Fee: 30."
    start = text.index(row)
    page.goto(f"{chat.url}/reader/{file_id}?start={start}&end={start + len(row)}")
    expect(page.locator(".xnai-words h2")).to_have_text("Rules")
    assert page.locator(".xnai-words th").all_inner_texts() == ["Boat", "Fee"]
    assert page.locator(".xnai-words mark").all_inner_texts() == ["Large", "30"]
    expect(page.locator(".xnai-words mark").first).to_be_in_viewport()


def scan_of(browser: Browser, words: str) -> bytes:
    """A picture of words, as a camera gives it."""
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    page.set_content(f"<body style='font: 34px/1.7 sans-serif; margin: 60px'>{words}")
    picture = page.screenshot(type="png")
    page.close()
    return picture


def pdf_of(picture: bytes) -> bytes:
    with io.BytesIO() as file:
        Image.open(io.BytesIO(picture)).convert("RGB").save(file, "PDF", resolution=100)
        return file.getvalue()


@pytest.mark.needs("tesseract")
def test_recognised_words_of_a_scan_are_selected_and_found(
    page: Page, browser: Browser, chat: Server, shot
):
    words = "<p>The boiler was inspected in March.</p><p>Its next inspection is due in October.</p>"
    picture = scan_of(browser, words)
    scan = chat.upload("scan.pdf", pdf_of(picture))
    page.goto(f"{chat.url}/reader/{scan}")
    text = page.locator("[data-page-number='1'] .textLayer")
    expect(text).to_contain_text("The boiler was inspected in March.", timeout=WAIT)
    page.get_by_role("searchbox").fill("next inspection")
    expect(page.locator(".xnai-find output")).to_have_text("1/1")
    expect(text.locator(".highlight.selected").first).to_contain_text("next")
    line = text.locator("span", has_text="boiler").first.bounding_box()
    whole = page.locator("[data-page-number='1']").bounding_box()
    # In the upper half of the picture and behind its margin of 60 in 1000, as drawn above.
    assert 0.1 < (line["y"] - whole["y"]) / whole["height"] < 0.25
    assert 0.05 < (line["x"] - whole["x"]) / whole["width"] < 0.08
    shot("43-scan")

    photo = chat.upload("photo.png", picture)
    page.goto(f"{chat.url}/reader/{photo}")
    expect(page.locator(".xnai-layer span").first).to_be_attached(timeout=WAIT)
    page.get_by_role("searchbox").fill("IN")
    expect(page.locator(".xnai-find output")).to_have_text("1/4")
    page.get_by_role("button", name="Match after").click()
    expect(page.locator(".xnai-find output")).to_have_text("2/4")
    page.get_by_role("searchbox").fill("due  in")
    expect(page.locator(".xnai-current")).to_have_text(["due ", "in "])


def test_a_document_without_fonts_of_its_own_is_drawn_with_ours(page: Page, chat: Server):
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    file_id = chat.upload("plain.pdf", pdf([["The gate is green."]]))
    page.goto(f"{chat.url}/reader/{file_id}")
    expect(page.locator(".textLayer")).to_contain_text("The gate is green.", timeout=WAIT)
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    assert refused == []
