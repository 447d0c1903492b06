"""Commands: a slash shows them, and what is sent with one is asked in its way."""

from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, finished, visit
from playwright.sync_api import Page, expect
from saying_endpoint import Endpoint, saying_server

from rig.waiting import wait_until
from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("commands")) as server:
        yield server


def test_a_slash_shows_the_commands_and_one_shapes_the_question(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.locator("#chat-input").click()
    page.keyboard.type("/")
    expect(page.get_by_text("Summarise the documents of this chat")).to_be_visible()
    expect(page.get_by_text("Compare the documents of this chat")).to_be_visible()
    shot("70-commands")
    page.keyboard.type("tab")
    page.keyboard.press("Enter")
    page.keyboard.type("planets and their moons")
    page.locator("#chat-submit").click()
    finished(page)
    expect(page.locator(".ai-message")).not_to_have_count(0, timeout=ANSWER_MS)
    asked = "Answer with a table: planets and their moons"
    wait_until(lambda: any(asked in str(told) for told in Endpoint.told), "the question", 20)
