"""What a user does on the page, in a real browser."""

from playwright.sync_api import Locator, Page, expect
from saying_endpoint import Endpoint

from rig.waiting import wait_until

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


def say(page: Page, answer: str, words: str = "") -> Locator:
    """Have the model of a ``saying_server`` say something; returns the message."""
    Endpoint.answers.append(answer)
    before = page.locator(".ai-message").count()
    page.locator("#chat-input").click()
    page.keyboard.insert_text(f"{words} Give answer number {len(Endpoint.answers) - 1}.")
    page.locator("#chat-submit").click()
    page.wait_for_function(
        "(count) => document.querySelectorAll('.ai-message').length > count", arg=before
    )
    finished(page)
    return page.locator(".ai-message").last


def copied(page: Page, press: Locator) -> str:
    """Press a button that copies, and return what it has put on the clipboard."""
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    press.click()
    wait_until(
        lambda: page.evaluate("navigator.clipboard.readText()") != "nothing yet", "the copy", 15
    )
    return page.evaluate("navigator.clipboard.readText()")
