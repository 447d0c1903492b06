"""Copies of tables as CSV, and of answers with their sources."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, copied, say, visit
from paths import ROOT
from playwright.sync_api import Browser, BrowserContext, Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

SHOTS = ROOT / "build" / "screenshots"
NOTES = 'The lamp was replaced in October 1987. It cost "a lot".\n\nBread is baked on Fridays.'
TABLE = (
    "Here:\n\n| Part | Price, in $ | Change |\n| --- | --- | --- |\n"
    '| 5" lamp; red | -1,234.50 | +3.5% |\n'
    "| =HYPERLINK(1) | @SUM(1) | -1+1 |\n| `a` and **b** | see www.a.example | \\(x^2\\) |\n"
)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("copies")) as server:
        yield server


@pytest.fixture
def asked(page: Page, context: BrowserContext, chat: Server) -> Page:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=chat.url)
    visit(page, chat.url)
    return page


def test_a_table_is_copied_as_csv_that_no_spreadsheet_executes(asked: Page, shot):
    message = say(asked, TABLE)
    button = message.locator(".xnai-csv")
    expect(button).to_have_css("opacity", "0")
    message.locator("table").hover()
    expect(button).to_have_css("opacity", "1")
    shot("60-table")

    text = copied(asked, button)

    expect(button).to_have_text("Copied")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["Part", "Price, in $", "Change"],
        ['5" lamp; red', "-1,234.50", "+3.5%"],
        ["'=HYPERLINK(1)", "'@SUM(1)", "'-1+1"],
        ["a and b", "see www.a.example", "x^2"],
    ]
    assert text.count("\r\n") == text.count("\n") == 4
    assert '"5"" lamp; red","-1,234.50"' in text


def test_the_button_of_a_table_is_reached_with_keys(asked: Page):
    message = say(asked, TABLE)
    asked.mouse.move(0, 0)
    message.locator("button:has(svg.lucide-copy)").focus()
    asked.keyboard.press("Shift+Tab")
    expect(message.locator(".xnai-csv")).to_be_focused()
    expect(message.locator(".xnai-csv")).to_have_css("opacity", "1")
    asked.evaluate("navigator.clipboard.writeText('nothing yet')")
    asked.keyboard.press("Enter")
    expect(message.locator(".xnai-csv")).to_have_text("Copied")
    assert "HYPERLINK" in asked.evaluate("navigator.clipboard.readText()")


def test_on_a_phone_the_buttons_are_there_and_as_large_as_a_finger(browser: Browser, chat: Server):
    opened = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    phone = opened.new_page()
    visit(phone, chat.url)
    message = say(phone, TABLE)
    button = message.locator(".xnai-csv")
    expect(button).to_have_css("opacity", "1")
    box, table = button.bounding_box(), message.locator("table").bounding_box()
    assert min(box["width"], box["height"]) >= 44
    assert box["y"] >= table["y"] + table["height"]
    phone.screenshot(path=str(SHOTS / "61-table-phone.png"))
    opened.close()


def test_an_answer_is_copied_with_its_sources_numbered_below_it(asked: Page, shot):
    asked.locator("#upload-button-input").set_input_files(
        {"name": "notes-of_1987.txt", "mimeType": "text/plain", "buffer": NOTES.encode()}
    )
    expect(asked.get_by_text("notes-of_1987.txt").first).to_be_visible()
    message = say(
        asked, "The lamp was **replaced** in October 1987. [1]", "When was the lamp replaced?"
    )
    expect(asked.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    button = message.locator(".xnai-sourced")
    expect(button).to_have_text("Copy with sources")
    shot("62-sources")

    text = copied(asked, button)

    answer, _, sources = text.partition("\n\nSources\n")
    assert answer == "The lamp was **replaced** in October 1987. [1]"
    assert re.fullmatch(
        r"\[1\] notes-of_1987\.txt: “The lamp was replaced in October 1987\.[^”]*”\n", sources
    )
    # Chainlit's own button goes on copying the message.
    whole = copied(asked, message.locator("button:has(svg.lucide-copy)").last)
    assert "**Sources**" in whole


def test_a_message_without_sources_has_no_button_for_them(asked: Page):
    message = say(asked, "Hello.")
    expect(message.locator("button:has(svg.lucide-copy)")).to_have_count(1)
    expect(message.locator(".xnai-sourced")).to_have_count(0)


def test_what_is_a_number_stays_one(asked: Page):
    kept = asked.evaluate(
        "async (fields) => (await import('/public/page/csv.js')).asCsv(fields.map((one) => [one]))",
        ["-5", "+49", "-1.5e-3", "-7%", "-", "+a", "=1", "@a", "\uff1d1", "1-2", " =1", ""],
    )
    assert kept.split("\r\n")[:-1] == [
        *("-5", "+49", "-1.5e-3", "-7%", "'-", "'+a", "'=1", "'@a", "'\uff1d1", "1-2", '" =1"', ""),
    ]


def test_pages_and_several_quotes_of_a_page_are_told_apart(asked: Page):
    text = asked.evaluate(
        "async (said) => (await import('/public/page/sourced.js')).withSources(said)",
        "It is so. [1] [2]\n\n**Sources**\n"
        "- [1] [2] **a\\_b.pdf, p. 3** — “One \\(1\\).” “Two.”\n- [3] **c.txt** — “Three.”"
        "\n\n**Also in your documents**\n- [4] **d.txt** — “Four.”",
    )
    assert text == (
        "It is so. [1] [2]\n\nSources\n[1] a_b.pdf, p. 3: “One (1).”\n"
        "[2] a_b.pdf, p. 3: “Two.”\n[3] c.txt: “Three.”\n"
    )
