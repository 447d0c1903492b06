"""Citations: links in the text that one panel of our own opens, by a click alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser_pages import ANSWER_MS, finished, say, visit
from kept_chats import keep_chat
from playwright.sync_api import Browser, BrowserContext, Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

NOTES = (
    "The lamp was replaced in October 1987. It flashes three times.\n\nBread is baked on Fridays."
)
LINK = ".message-content a[href^='/reader/']"
PANEL = "#xnai-reader"
BOTTOM = """() => { const all = document.querySelectorAll('.message-content');
  return Math.round(all[all.length - 1].getBoundingClientRect().bottom); }"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("citations")) as server:
        yield server


def address(document: str, page: int, words: str, text: str) -> str:
    start = text.index(words)
    return f"/reader/{document}?page={page}&start={start}&end={start + len(words)}"


@pytest.fixture
def told(page: Page, chat: Server) -> Page:
    """A chat with notes and an answer that cites them."""
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": NOTES.encode()}
    )
    expect(page.get_by_text("notes.txt").first).to_be_visible()
    say(page, "The lamp was replaced in October 1987. [1]", "When was the lamp replaced?")
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    return page


def test_a_click_opens_the_place_and_escape_gives_the_focus_back(told: Page, shot):
    page = told
    assert page.locator(PANEL).count() == 0
    shot("30-sources")
    link = page.locator(LINK).first
    link.click()
    panel = page.locator(PANEL)
    expect(panel.locator("mark")).to_contain_text("October 1987.")
    assert page.evaluate("document.activeElement.id") == "xnai-reader"
    box, chat = panel.bounding_box(), page.locator("#chat-input").bounding_box()
    assert chat["x"] + chat["width"] <= box["x"]
    shot("31-panel")

    page.keyboard.press("Escape")

    expect(panel).to_have_count(0)
    assert link.evaluate("(link) => link === document.activeElement")


def test_nothing_opens_and_nothing_below_the_last_line_moves_by_itself(told: Page):
    page = told
    bottom = page.evaluate(BOTTOM)
    page.wait_for_timeout(1500)
    assert page.evaluate(BOTTOM) == bottom
    assert page.locator(f"{PANEL}, #side-view-title").count() == 0


def test_one_line_above_the_answer_opens_into_how_it_came_about(told: Page, shot):
    page = told
    line = page.get_by_role("button", name=re.compile(r"^\s*1 source, \d"))
    expect(line).to_have_count(1)
    answer = page.locator(".ai-message .message-content").last
    assert line.bounding_box()["y"] < answer.bounding_box()["y"]
    # Above the answer stand the file that was read, and this line.
    assert page.locator("[data-step-type=tool]").count() == 2
    line.click()
    expect(page.get_by_text("Searched your documents: 1 passage in")).to_be_visible()
    shot("37-line-opened")
    page.locator(f"{LINK}:not([title])").click()
    expect(page.locator(f"{PANEL} mark")).to_contain_text("October 1987")


def test_what_was_not_found_has_no_sources_and_no_panel_beside_it(told: Page, shot):
    page = told
    page.locator(LINK).first.click()
    expect(page.locator(f"{PANEL} mark")).to_be_visible()

    refusal = "Source: none\nAnswer: This is not in your documents."
    said = say(page, refusal, "Who won the chess championship of Portugal in 1954?")
    answer = said.locator(".message-content")

    expect(answer).to_contain_text("This is not in your documents")
    expect(page.locator(PANEL)).to_have_count(0)
    assert "Sources" not in answer.inner_text()
    expect(page.get_by_text(re.compile(r"Not found, \d"))).to_have_count(1)
    assert page.locator("[data-sonner-toast]").count() == 0
    shot("38-not-found")


def test_one_panel_is_open_at_a_time(told: Page):
    page = told
    page.locator(LINK).first.click()
    expect(page.locator(f"{PANEL} mark")).to_be_visible()
    page.locator("#xnai-documents").click()
    expect(page.locator("#xnai-list")).to_be_visible()
    expect(page.locator(f"{PANEL} mark")).to_have_count(0)
    page.locator(LINK).first.click()
    expect(page.locator(f"{PANEL} mark")).to_be_visible()
    expect(page.locator("#xnai-list")).to_have_count(0)
    assert page.locator(PANEL).count() == 1


def test_a_new_chat_has_no_panel_of_the_chat_before(told: Page):
    page = told
    page.locator(LINK).first.click()
    expect(page.locator(f"{PANEL} mark")).to_be_visible()
    page.locator("#header #new-chat-button").click()
    page.locator("#confirm").click()
    expect(page.locator(PANEL)).to_have_count(0)


def test_a_copy_of_an_answer_has_numbers_in_the_place_of_links(told: Page, context: BrowserContext):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    told.locator(".ai-message").last.locator("button:has(svg.lucide-copy)").click()
    told.wait_for_timeout(200)
    copied = told.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("The lamp was replaced in October 1987. [1]\n\n**Sources**\n- [1] ")
    assert "/reader/" not in copied


@pytest.fixture
def kept(page: Page, chat: Server, handbook: Path) -> Page:
    """A kept chat about three pages of a PDF, one of which is gone by now."""
    visit(page, chat.url)
    file_id = chat.upload("keepers.pdf", handbook.read_bytes())
    text = httpx.get(f"{chat.url}/v1/files/{file_id}/pages/2").json()["text"]
    where = address(file_id, 2, "October 1987", text)
    answer = (
        f'It was replaced in 1987. [[1]]({where} "keepers.pdf, p. 2") And more. '
        f'[[2]](/reader/{"0" * 32}?page=1&start=0&end=4 "gone.pdf, p. 1")'
    )
    thread = keep_chat(chat.folder / "data", "The lamp", ("When?", answer))
    page.goto(f"{chat.url}/thread/{thread}")
    expect(page.locator(LINK)).to_have_count(2, timeout=20_000)
    return page


def test_a_page_of_a_pdf_is_turned_with_keys_and_the_way_back_is_offered(kept: Page, shot):
    page = kept
    page.locator(LINK).first.click()
    panel = page.locator(PANEL)
    number = panel.locator(".xnai-page-number")
    expect(panel.locator(".xnai-layer mark").first).to_be_visible(timeout=ANSWER_MS)
    expect(number).to_have_value("2")
    shot("32-page-of-a-pdf")

    panel.get_by_role("button", name="Next page").focus()
    page.keyboard.press("Enter")

    expect(number).to_have_value("3")
    expect(panel.locator("[data-page-number='3'] .textLayer")).to_contain_text("force nine")
    assert page.evaluate("document.activeElement.dataset.do") == "after"
    panel.get_by_role("button", name="Passage").click()
    expect(number).to_have_value("2")
    expect(panel.locator(".xnai-layer mark").first).to_be_in_viewport()
    page.get_by_label("Close", exact=True).click()
    expect(panel).to_have_count(0)


def test_a_document_that_was_deleted_is_said_plainly(kept: Page, shot):
    kept.locator(LINK).nth(1).click()
    expect(kept.locator(PANEL)).to_contain_text("It was deleted, or it belongs to somebody else.")
    shot("33-deleted")


def test_on_a_phone_the_panel_covers_the_chat(kept: Page, shot):
    kept.set_viewport_size({"width": 390, "height": 844})
    shot("34-phone-chat")
    kept.locator(LINK).first.click()
    panel = kept.locator(PANEL)
    expect(panel.locator(".xnai-layer mark").first).to_be_visible(timeout=ANSWER_MS)
    box = panel.bounding_box()
    assert (box["x"], box["width"], box["height"]) == (0, 390, 844)
    assert kept.evaluate("document.getElementById('root').inert")
    assert kept.evaluate("document.documentElement.scrollWidth") <= 390
    for _ in range(16):
        kept.keyboard.press("Tab")
        assert kept.evaluate(
            "document.getElementById('xnai-reader').contains(document.activeElement)"
        )
    shot("35-phone-panel")
    kept.get_by_label("Close", exact=True).click()
    assert not kept.evaluate("document.getElementById('root').inert")


def test_the_same_place_is_a_page_of_its_own_also_without_script(
    kept: Page, browser: Browser, chat: Server, shot
):
    where = kept.locator(LINK).first.get_attribute("href")
    plain = browser.new_context(java_script_enabled=False, color_scheme="dark")
    alone = plain.new_page()
    errors: list[str] = []
    alone.on("console", lambda message: errors.append(message.text))
    alone.goto(f"{chat.url}{where}")
    expect(alone.locator("img")).to_be_visible()
    alone.locator("a[rel=prev]").click()
    expect(alone.locator("img")).to_have_attribute("alt", "Page 1 of keepers.pdf")
    expect(alone.locator("body")).to_have_css(
        "background-color", re.compile(r"rgb\(1\d, 2\d, 2\d\)")
    )
    assert errors == []
    plain.close()

    kept.on("console", lambda message: errors.append(message.text))
    kept.goto(f"{chat.url}{where}")
    expect(kept.locator(".xnai-layer mark").first).to_be_visible(timeout=ANSWER_MS)
    kept.keyboard.press("ArrowRight")
    expect(kept.locator(".xnai-page-number")).to_have_value("3")
    shot("36-page-of-its-own")
    assert errors == []


@pytest.mark.parametrize("count", [200])
def test_a_chat_with_many_citations_opens_at_once(page: Page, chat: Server, count: int):
    visit(page, chat.url)
    file_id = chat.upload("notes.txt", NOTES.encode())
    link = f'[[{{}}]]({address(file_id, 0, "Bread", NOTES)} "notes.txt")'
    turns = [
        ("Which?", " ".join(f"It is so. {link.format(n)}" for n in range(1, 11)))
        for _ in range(count // 10)
    ]
    thread = keep_chat(chat.folder / "data", "Many citations", *turns)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.goto(f"{chat.url}/thread/{thread}")

    expect(page.locator(LINK)).to_have_count(count, timeout=20_000)
    assert [url for url in requests if re.search(r"/elements/|/reader/|/v1/", url)] == []
    assert page.locator(f"{PANEL}, #side-view-title").count() == 0


def test_a_sample_document_is_tried_with_one_click(page: Page, chat: Server, shot):
    visit(page, chat.url)
    expect(page.locator("#xnai-welcome")).to_contain_text("Drop a file here")
    shot("39-welcome")
    page.get_by_role("button", name="Try a sample document").click()
    expect(page.get_by_text("Read sample-lighthouse.txt")).to_be_visible(timeout=ANSWER_MS)
    finished(page)
    expect(page.locator(".ai-message .message-content").last).not_to_be_empty()
