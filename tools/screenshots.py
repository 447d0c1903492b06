"""Take pictures of the page as a new person meets it: `python tools/screenshots.py URL [FOLDER]`.

For developers, to be looked at. The server at URL should have an empty data folder and a model that
answers over documents; files are given to it, questions asked, and the states of the page kept as
PNG below FOLDER (build/states): those that pass once, in light on a desktop, the others in both
themes, on a desktop and a phone, and the first ones in German and Arabic.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SHOTS = ROOT / "build" / "states"
CHROMIUM = "/usr/bin/chromium"
ANSWER_MS = 600_000
READY_MS = 60_000
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
SOURCE = ".message-content a[href^='/reader/']"

LEASE = """
<style>body {{ font: 15px/1.6 serif; margin: 3em }} h1 {{ font-size: 24px }}
section {{ page-break-after: always }}</style>
<section><h1>Lease of the boathouse, 4 Harbour Lane</h1><p>Between Brightwater Trust (the landlord)
and Amina Osei (the tenant). The lease begins on 1 March 2025 and runs for three years.</p>
<p>The boathouse may be used to build and mend small boats, and to store them.</p></section>
<section><h1>Rent and deposit</h1><p>The rent is 840 euros a month, due on the third working day.
A deposit of 1,680 euros is held by the landlord and given back within 30 days of the end.</p>
<p>Rent that is more than ten days late costs 25 euros for each reminder.</p></section>
<section><h1>Ending the lease</h1><p>Either side may end the lease with three months' notice in
writing. The tenant hands back all four keys and leaves the slipway clear.</p></section>
"""
MAIL = """From: Amina Osei <amina@example.org>
To: Brightwater Trust <office@example.org>
Subject: Leak above the workbench
Date: Tue, 6 May 2025 09:12:00 +0200
Content-Type: text/plain; charset=utf-8

Hello,

since Sunday's storm water drips onto the workbench from the skylight on the north side. I have put
a tarpaulin over it. Could a roofer come before 20 May? I am there every weekday from eight.

Amina
"""
COSTS = "Month,Heating,Water\nJanuary,212.40,31.00\nFebruary,198.10,29.50\nMarch,143.70,30.20\n"


@dataclass(frozen=True)
class Look:
    """How a browser is set up, and what its pictures are called by."""

    theme: str = "light"
    size: str = "desktop"
    language: str = "en"

    @property
    def name(self) -> str:
        """What a picture's name ends with."""
        return f"{self.size}-{self.theme}-{self.language}"

    def open(self, browser: Browser) -> BrowserContext:
        """Open a browser that looks so."""
        is_phone = self.size == "phone"
        return browser.new_context(
            viewport=PHONE if is_phone else DESKTOP,
            color_scheme="dark" if self.theme == "dark" else "light",
            locale=self.language,
            has_touch=is_phone,
            is_mobile=is_phone,
            reduced_motion="reduce",
        )


LOOKS = (
    Look("dark"),
    Look("light", "phone"),
    Look("dark", "phone"),
    Look(language="de-DE"),
    Look(language="ar"),
    Look(size="phone", language="ar"),
)


class Camera:
    """Keeps pictures of one page under numbered names."""

    def __init__(self, page: Page, look: Look, folder: Path) -> None:
        self.page = page
        self._look = look
        self._folder = folder

    def take(self, name: str) -> None:
        """Keep what is seen, once nothing moves any more."""
        self.page.wait_for_function(
            "() => document.getAnimations().every((one) => one.playState !== 'running'"
            " || one.effect?.getComputedTiming().iterations === Infinity)"
        )
        self.page.screenshot(path=str(self._folder / f"{name}-{self._look.name}.png"))
        print(f"{name}-{self._look.name}", flush=True)


def visit(page: Page, url: str) -> None:
    """Open the page, and wait until it is connected."""
    page.goto(url)
    expect(page.locator("#upload-button")).to_be_enabled(timeout=READY_MS)


def ask(page: Page, text: str, *, wait: bool = True) -> None:
    """Ask a question, and wait for the end of its answer."""
    answers = page.locator(".ai-message").count()
    page.locator("#chat-input").click()
    page.keyboard.insert_text(text)
    page.locator("#chat-submit").click()
    if wait:
        page.wait_for_function(
            "(count) => document.querySelectorAll('.ai-message').length > count",
            arg=answers,
            timeout=ANSWER_MS,
        )
        expect(page.locator("#stop-button")).to_have_count(0, timeout=ANSWER_MS)


def panel(page: Page) -> Locator:
    """Return the panel beside the chat."""
    return page.locator("#xnai-reader")


def first_visit(browser: Browser, url: str, folder: Path) -> str:
    """Walk as a new person does; returns the address of the chat that came of it."""
    look = Look()
    context = look.open(browser)
    page = context.new_page()
    camera = Camera(page, look, folder)
    lease = page.context.new_page()
    lease.set_content(LEASE.format())
    (folder / "boathouse-lease.pdf").write_bytes(lease.pdf(format="A5"))
    lease.close()
    visit(page, url)
    camera.take("01-start")
    files = (folder / "boathouse-lease.pdf", folder / "leak.eml", folder / "costs.csv")
    files[1].write_text(MAIL, encoding="utf-8")
    files[2].write_text(COSTS, encoding="utf-8")
    page.locator("#upload-button-input").set_input_files([str(file) for file in files])
    expect(page.get_by_text("costs.csv").first).to_be_visible()
    camera.take("02-attached")
    ask(page, "How much is the deposit, and when is it given back?", wait=False)
    expect(page.locator("#stop-button")).to_be_visible(timeout=ANSWER_MS)
    camera.take("03-reading")
    expect(page.locator(SOURCE).first).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#stop-button")).to_have_count(0, timeout=ANSWER_MS)
    camera.take("04-answer")
    page.get_by_text(re.compile(r"\d+ sources?, \d")).last.click()
    camera.take("05-steps")
    page.get_by_text(re.compile(r"\d+ sources?, \d")).last.click()
    page.locator(SOURCE).first.click()
    expect(panel(page).locator(".xnai-layer mark").first).to_be_visible(timeout=READY_MS)
    camera.take("06-reader")
    page.keyboard.press("Escape")
    ask(page, "Who complained about the roof, and what was asked for?")
    camera.take("07-second-answer")
    ask(page, "How much was spent on heating in all?")
    camera.take("08-sum")
    ask(page, "What is the name of the landlord's dog?")
    camera.take("09-not-found")
    stop_and_continue(page, camera)
    address = page.url
    second_chat(page, camera, url)
    refused(page, camera)
    context.close()
    return address


def stop_and_continue(page: Page, camera: Camera) -> None:
    """Stop an answer in its middle, and let it go on."""
    ask(page, "Summarise all three documents in ten sentences.", wait=False)
    expect(page.locator("#stop-button")).to_be_visible(timeout=ANSWER_MS)
    answer = page.locator(".ai-message").last
    page.wait_for_function(
        "() => [...document.querySelectorAll('.ai-message')].at(-1)?.innerText.length > 150",
        timeout=ANSWER_MS,
    )
    camera.take("10-writing")
    page.locator("#stop-button").click()
    expect(page.locator("#stop-button")).to_have_count(0)
    expect(answer).to_be_visible()
    camera.take("11-stopped")
    more = page.get_by_role("button", name="Continue", exact=True)
    if more.count():
        more.last.click()
        expect(page.locator("#stop-button")).to_be_visible(timeout=ANSWER_MS)
        expect(page.locator("#stop-button")).to_have_count(0, timeout=ANSWER_MS)
        camera.take("12-continued")


def second_chat(page: Page, camera: Camera, url: str) -> None:
    """Begin another chat, with the sample document."""
    visit(page, url)
    page.get_by_text("Try a sample document").click()
    expect(page.locator(SOURCE).first).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#stop-button")).to_have_count(0, timeout=ANSWER_MS)
    camera.take("13-second-chat")


def refused(page: Page, camera: Camera) -> None:
    """Give what cannot be read."""
    page.locator("#upload-button-input").set_input_files(
        [
            {"name": "setup.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"},
            {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
        ]
    )
    camera.take("14-refused")


def seen_again(browser: Browser, url: str, chat: str, look: Look, folder: Path) -> None:
    """Look at what stays, as another browser shows it."""
    context = look.open(browser)
    page = context.new_page()
    camera = Camera(page, look, folder)
    visit(page, url)
    camera.take("01-start")
    visit(page, chat)
    expect(page.locator(SOURCE).first).to_be_visible(timeout=READY_MS)
    camera.take("15-reloaded")
    page.locator(SOURCE).first.scroll_into_view_if_needed()
    camera.take("04-answer")
    page.locator(SOURCE).first.click()
    expect(panel(page).locator(".xnai-layer mark").first).to_be_visible(timeout=READY_MS)
    camera.take("06-reader")
    page.keyboard.press("Escape")
    page.locator("#xnai-documents").click()
    expect(page.locator("#xnai-list li").first).to_be_visible(timeout=READY_MS)
    camera.take("16-documents-panel")
    page.keyboard.press("Escape")
    page.locator("#chat-settings-open-modal").click()
    expect(page.locator("#chat-settings")).to_be_visible()
    camera.take("17-settings")
    page.goto(f"{url}/documents")
    expect(page.locator("#xnai-list li").first).to_be_visible()
    page.locator("[data-do=ask]").first.click()
    camera.take("18-documents-ask")
    page.goto(f"{url}/models")
    camera.take("19-models")
    page.goto(f"{url}/reader/00000000-0000-4000-8000-000000000000")
    camera.take("20-gone")
    context.close()


def _guarded(what: Callable[[], object]) -> None:
    try:
        what()
    except Exception as exc:  # noqa: BLE001 - the other pictures are wanted as well
        print(f"not taken: {exc}", file=sys.stderr)


def main(url: str, folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        chat = first_visit(browser, url, folder)
        for look in (Look(), *LOOKS):
            _guarded(lambda look=look: seen_again(browser, url, chat, look, folder))
        browser.close()


if __name__ == "__main__":
    where, *folders = sys.argv[1:]
    main(where.rstrip("/"), Path(folders[0]) if folders else SHOTS)
