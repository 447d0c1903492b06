from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import CHROMIUM
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
# Chromium itself asks its maker's servers at start; the page's own requests are what is tested.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
]

HANDBOOK = """
<style>body {{ font: 15px/1.6 serif; margin: 3em }} h1 {{ font-size: 26px }}
section {{ page-break-after: always }}</style>
<section><h1>The keeper's handbook</h1><p>Norwick Lighthouse stands on the north cliff of the
island of Unst. This handbook tells new keepers what to do, and when. Keepers work in pairs, and
each pair serves for six weeks.</p><p>The kitchen is on the ground floor. Bread is baked on
Tuesdays and Fridays.</p></section>
<section><h1>The lamp</h1><p>The lamp was replaced in October 1987 by a 250 watt metal halide
lamp. It flashes three times every twenty seconds. On a clear night it is seen at a distance of
22 nautical miles.</p><p>The lens is cleaned every Monday with vinegar and soft paper.</p></section>
<section><h1>Storms</h1><p>When the wind rises above force nine the keepers close the iron shutters
and stay inside the tower. The emergency generator starts by itself after forty seconds without
power and runs for three days on a full tank.</p></section>
"""


# Its driver keeps an event loop running, in which no asynchronous test of another module could run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def handbook(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real PDF of three pages, printed by the browser."""
    page = browser.new_page()
    page.set_content(HANDBOOK.format())
    path = tmp_path_factory.mktemp("files") / "keepers-handbook.pdf"
    page.pdf(path=str(path), format="A5")
    page.close()
    return path


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 860})
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def shot(page: Page):
    """Keep a picture of the page under a name."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        page.wait_for_timeout(400)  # transitions of the page
        page.screenshot(path=str(SHOTS / f"{name}.png"))

    return take
