"""Commands: a slash shows them, and what is sent with one is asked in its way."""

from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, finished, say, visit
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


def test_a_prompt_that_was_saved_is_a_command(page: Page, chat: Server):
    visit(page, chat.url)
    page.locator("#chat-settings-open-modal").click()
    page.get_by_label("Saved prompts").fill("Two Moons: Name two moons.")
    page.locator("#confirm").click()
    page.locator("#chat-input").click()
    page.keyboard.type("/two")
    expect(page.get_by_text("Name two moons.")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("of Mars")
    page.locator("#chat-submit").click()
    expect(page.locator(".ai-message")).not_to_have_count(0, timeout=ANSWER_MS)
    asked = r"Name two moons.\n\nof Mars"
    wait_until(lambda: any(asked in str(told) for told in Endpoint.told), "the question", 20)


LEASE = """# Rent

The rent of the boathouse is 840 euros a month, due on the third working day of it.

# Deposit

A deposit of 1,680 euros is held by the landlord, and given back within 30 days of the end.

# Ending the lease

Either side may end the lease with three months' notice in writing to the other side.
"""


def test_a_chat_begun_with_a_file_has_its_name_is_pinned_and_is_gone_on_with(
    page: Page, chat: Server, shot
):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        {"name": "lease.md", "mimeType": "text/markdown", "buffer": LEASE.encode()}
    )
    expect(page.locator("#xnai-files .xnai-is-read")).to_be_visible(timeout=ANSWER_MS)
    page.locator("#chat-submit").click()
    expect(page.locator(".ai-message")).not_to_have_count(0, timeout=ANSWER_MS)
    say(page, "The rent is 840 euros a month. [1]", "How much is the rent?")
    page.locator("#header #sidebar-trigger-button").click()
    row = page.locator("#thread-history a[href^='/thread/']").first
    expect(row).to_have_text("lease.md")
    row.hover()
    page.locator("#thread-options").first.click()
    page.get_by_role("menuitem", name="Pin", exact=True).click()
    pinned = page.get_by_role("navigation", name="Pinned")
    expect(pinned.get_by_role("link")).to_have_text("lease.md")
    next_question = page.get_by_role("button", name="What does it say about “Deposit”?")
    expect(next_question).to_be_visible(timeout=ANSWER_MS)
    shot("71-go-on")
    next_question.click()
    asked = page.locator("[data-step-type='user_message']").last
    expect(asked).to_contain_text("What does it say about “Deposit”?", timeout=ANSWER_MS)
    finished(page)
    expect(next_question).to_have_count(0)

    page.goto(chat.url)
    expect(page.locator("#upload-button")).to_be_enabled(timeout=ANSWER_MS)
    expect(pinned).to_be_hidden()  # and out of reach of the keyboard, as all of a closed list
    page.locator("#header #sidebar-trigger-button").click()
    pinned.get_by_role("link").click()
    expect(page.locator(".ai-message").first).to_be_visible(timeout=ANSWER_MS)
    page.locator("#header #sidebar-trigger-button").click()  # Chainlit begins with a closed list
    pinned.get_by_role("button", name="Unpin lease.md").click()
    expect(pinned).to_have_count(0)
