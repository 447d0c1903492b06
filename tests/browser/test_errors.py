"""Errors on the page: what is wrong and what to do; what a support line asks for is folded away."""

import re
from collections.abc import Iterator

import pytest
from browser_pages import ask, finished, visit
from playwright.sync_api import Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

REFERENCE = re.compile(r"[a-z_]+ · ([0-9a-f]{32}|-)")


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("errors")) as server:
        yield server


def test_a_file_that_cannot_be_read_is_told_once_with_its_details_folded(
    page: Page, chat: Server, shot
):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        {"name": "holiday.pdf", "mimeType": "application/pdf", "buffer": bytes(range(256)) * 8}
    )
    expect(page.get_by_text("holiday.pdf").first).to_be_visible()
    ask(page, "Where did we go?")
    expect(page.get_by_text("Could not be read:")).to_be_visible(timeout=20_000)
    finished(page)

    shown = page.locator(".ai-message .message-content").last
    expect(shown).to_contain_text("is not a document that can be read")
    step = page.locator("[data-step-type=tool] button[aria-expanded]").first
    if step.get_attribute("aria-expanded") == "false":  # it opens by itself if it came in time
        step.click()
    details = page.locator(".xnai-details")
    expect(details).to_have_count(1)
    assert not REFERENCE.search(page.locator("body").inner_text())
    shot("80-folded")
    details.focus()
    page.keyboard.press("Enter")
    expect(details).to_have_attribute("aria-expanded", "true")
    (told,) = [found[0] for found in REFERENCE.finditer(page.locator("body").inner_text())]
    assert told.startswith("file_type_unsupported · ")
    shot("81-unfolded")
    details.click()
    assert not REFERENCE.search(page.locator("body").inner_text())


def test_the_details_of_a_toast_are_folded_too(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.evaluate("window.postMessage('x'.repeat(300), window.location.origin)")
    toast = page.locator("[data-sonner-toast]")
    expect(toast).to_be_visible()
    details = toast.locator(".xnai-details")
    expect(details).to_be_visible()
    assert not REFERENCE.search(toast.inner_text())
    toast.hover()
    details.click()
    assert REFERENCE.search(toast.inner_text())
    shot("82-toast")


def test_a_page_that_is_not_there_folds_its_details(page: Page, chat: Server):
    document = chat.upload("notes.txt", b"The lamp is red.\n")
    page.goto(f"{chat.url}/reader/{document}?page=x&start=0&end=1")
    words = page.locator("main").inner_text()
    assert "Details" in words
    assert "bad_request" not in words
    page.locator("summary").click()
    expect(page.locator("main")).to_contain_text("bad_request")
