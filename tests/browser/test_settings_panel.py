"""The settings panel: what is chosen there stays, and is told to the model where it may be."""

from collections.abc import Iterator

import pytest
from browser_pages import say, visit
from playwright.sync_api import Locator, Page, expect
from saying_endpoint import Endpoint, saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

WORDS = "Call me Captain, always."


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("settings")) as server:
        yield server


def panel(page: Page) -> Locator:
    page.locator("#chat-settings-open-modal").click()
    opened = page.locator("#chat-settings")
    expect(opened).to_be_visible()
    return opened


def test_what_is_chosen_outlives_a_reload_and_a_new_chat(page: Page, chat: Server, shot):
    visit(page, chat.url)
    settings = panel(page)
    expect(settings).to_contain_text("Told to the model in chats without documents")
    settings.locator("#instructions").fill(WORDS)
    shot("70-settings")
    settings.locator("#confirm").click()
    say(page, "Aye.")
    assert WORDS in Endpoint.told[-1][0]["content"]
    assert Endpoint.told[-1][0]["role"] == "system"

    page.reload()
    expect(page.locator("#upload-button")).to_be_enabled(timeout=20_000)
    expect(panel(page).locator("#instructions")).to_have_value(WORDS)
    page.keyboard.press("Escape")

    visit(page, chat.url)
    expect(panel(page).locator("#instructions")).to_have_value(WORDS)
    page.keyboard.press("Escape")
    say(page, "Aye, aye.")
    assert WORDS in Endpoint.told[-1][0]["content"]

    page.locator("#upload-button-input").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"The lamp is red.\n" * 3}
    )
    expect(page.get_by_text("notes.txt").first).to_be_visible()
    before = len(Endpoint.told)
    say(page, "Source: The lamp is red.\nAnswer: The lamp is red.", "What is the lamp?")
    assert len(Endpoint.told) > before
    assert all(WORDS not in str(messages) for messages in Endpoint.told[before:])
