"""The first screen in the language of the browser."""

from collections.abc import Iterator

import pytest
from data_server import WITHOUT_MODEL
from paths import ROOT
from playwright.sync_api import Browser, Page, expect

from rig.whole_server import Server
from xnai.locale import texts_in
from xnai.ui.chainlit.page_words import help_text

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

PATIENCE = 30_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("languages"), WITHOUT_MODEL)
    server.start()
    server.wait(status="ready")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def document(server: Server) -> str:
    return server.upload("leuchtturm.txt", b"Der Leuchtturm wurde 1954 gebaut.\n")


@pytest.fixture
def page_in(browser: Browser):
    opened = []

    def open_page(language: str) -> Page:
        context = browser.new_context(locale=language, viewport={"width": 1280, "height": 860})
        opened.append(context)
        return context.new_page()

    yield open_page
    for context in opened:
        context.close()


@pytest.mark.parametrize("language", ["de", "ar", "en"])
def test_the_first_screen_is_in_the_language_of_the_browser(server, page_in, language):
    page, texts = page_in(language), texts_in(language)

    page.goto(server.url)

    expect(page.locator("#upload-button:enabled")).to_be_visible(timeout=PATIENCE)
    welcome = texts.say("Drop a file here, or press the paper clip, and ask about it.")
    expect(page.locator("#xnai-welcome")).to_contain_text(welcome)
    expect(page.locator("#xnai-documents")).to_have_text(texts.say("Documents"))
    expect(page.get_by_text(texts.say("Try a sample document"))).to_be_visible()
    told = page.request.get(f"{server.url}/project/settings?language={language}").json()
    assert told["markdown"] == help_text(str(ROOT), language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("html")).to_have_attribute("dir", texts.direction)
    page.locator("#xnai-documents").click()
    expect(page.locator("#xnai-list")).to_contain_text(
        texts.say(
            "No documents in this chat yet. Attach one with the paper clip, or drop it into the "
            "window."
        )
    )


def test_a_message_is_written_from_the_side_of_its_own_letters(server, page_in):
    page = page_in("de")
    page.goto(server.url)
    expect(page.locator("#upload-button:enabled")).to_be_visible(timeout=PATIENCE)

    page.locator("#chat-input").click()
    page.keyboard.type("متى بُنيت المنارة؟")
    page.locator("#chat-submit").click()

    asked = page.locator(".message-content", has_text="المنارة").first
    expect(asked).to_have_attribute("dir", "auto")
    expect(asked).to_have_css("direction", "rtl")


def test_the_reader_is_in_the_language_of_the_browser(server, document, page_in):
    page = page_in("ar")
    page.goto(f"{server.url}/reader/{document}")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_text("تنزيل", exact=True)).to_be_visible()
    words = page.locator(".xnai-words")
    expect(words).to_contain_text("Der Leuchtturm")
    expect(words).to_have_css("direction", "ltr")
