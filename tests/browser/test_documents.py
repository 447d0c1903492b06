"""The documents of a person, beside the chat and on a page of their own."""

from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, say, visit
from playwright.sync_api import Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

ROW = "li[data-name='{}']"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("documents")) as server:
        server.upload("by-program.txt", b"The pier is 40 metres long.")
        yield server


def attach(page: Page, name: str, text: str) -> None:
    page.locator("#upload-button-input").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    )
    expect(page.get_by_text(name).first).to_be_visible()


def test_the_panel_has_those_of_the_chat_and_the_page_has_all(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.locator("#xnai-documents").click()
    panel = page.locator("#xnai-reader")
    expect(panel).to_contain_text("No documents in this chat yet")
    page.keyboard.press("Escape")
    attach(page, "in-chat.txt", "The lamp was replaced in October 1987.")
    say(page, "The lamp was replaced in October 1987. [1]", "When was the lamp replaced?")
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)

    page.locator("#xnai-documents").click()
    expect(panel.locator(ROW.format("in-chat.txt"))).to_contain_text("1 passage")
    expect(panel.locator(ROW.format("by-program.txt"))).to_have_count(0)
    shot("50-documents-panel")
    panel.get_by_role("link", name="All documents, of every chat").click()
    expect(panel.locator(ROW.format("by-program.txt"))).to_contain_text("Brought by a program")
    expect(panel.locator(ROW.format("in-chat.txt"))).to_contain_text("When was the lamp replaced?")

    panel.get_by_role("link", name="in-chat.txt").click()
    expect(panel.locator(".xnai-words")).to_contain_text("October 1987")


def test_it_finds_names_at_once_and_words_when_it_is_asked_to(page: Page, chat: Server, shot):
    chat.upload("gate.txt", b"The gate closes at ten.")
    page.goto(f"{chat.url}/documents")
    field = page.get_by_role("searchbox")
    field.fill("GATE")
    expect(page.locator(ROW.format("gate.txt"))).to_be_visible()
    expect(page.locator(ROW.format("by-program.txt"))).to_be_hidden()
    field.fill("pier")
    field.press("Enter")
    place = page.locator(".xnai-places li").first
    expect(place).to_contain_text("The pier is 40 metres long.")
    shot("51-documents-found")
    place.get_by_role("link").click()
    expect(page.locator("mark")).to_contain_text("The pier is 40 metres long.")


def test_it_deletes_after_asking(page: Page, chat: Server):
    chat.upload("to-go.txt", b"Nobody needs this.")
    page.goto(f"{chat.url}/documents")
    row = page.locator(ROW.format("to-go.txt"))
    row.get_by_role("button", name="Delete to-go.txt").click()
    expect(row.get_by_role("button", name="Keep", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(row.get_by_role("button", name="Delete to-go.txt")).to_be_focused()
    page.keyboard.press("Enter")
    row.get_by_role("button", name="Delete", exact=True).click()
    expect(row).to_have_count(0)
    expect(page.locator("#xnai-told")).to_have_text("Deleted to-go.txt.")
    page.reload()
    expect(page.locator(ROW.format("by-program.txt"))).to_be_visible()
    expect(page.locator(ROW.format("to-go.txt"))).to_have_count(0)


def test_what_is_being_read_is_followed_to_its_end(page: Page, chat: Server):
    text = "\n\n".join(f"Paragraph {n} of a long report on the harbour." for n in range(3000))
    page.goto(f"{chat.url}/documents")
    page.evaluate(
        """async (text) => { const body = new FormData();
        body.append('file', new File([text], 'long.txt'));
        await fetch('/v1/files', { method: 'POST', body }); }""",
        text,
    )
    page.reload()
    row = page.locator(ROW.format("long.txt"))
    expect(row).to_contain_text("passages", timeout=ANSWER_MS)
    expect(row.get_by_role("link", name="long.txt")).to_be_visible(timeout=ANSWER_MS)
