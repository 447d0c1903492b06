"""What a user does on the page, in a real browser."""

from playwright.sync_api import Page, expect

ANSWER_MS = 60_000


def visit(page: Page, url: str) -> None:
    page.goto(url)
    # Until the socket is connected the paper clip is not to be pressed.
    expect(page.locator("#upload-button")).to_be_enabled(timeout=20_000)


def ask(page: Page, text: str) -> None:
    page.locator("#chat-input").click()
    page.keyboard.type(text)
    page.locator("#chat-submit").click()


def finished(page: Page) -> None:
    expect(page.locator("#stop-button")).to_have_count(0, timeout=ANSWER_MS)
