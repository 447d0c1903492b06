"""A visit in a browser: one load, no errors, and links that end where they lead."""

import re
from collections.abc import Iterator

import pytest
from data_server import WITHOUT_MODEL
from kept_chats import keep_chat
from playwright.sync_api import Browser, Page, expect

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

KEY = "a-key-of-the-tests-0123"
USABLE = "#upload-button:enabled"
PATIENCE = 30_000
BUNDLE = re.compile(r"/assets/(?:\w+/)?index-[\w-]+\.js$")


def served(folder, **settings: str) -> Iterator[Server]:
    server = Server(folder, {**WITHOUT_MODEL, **settings})
    server.start()
    server.wait(status="ready")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def shut_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(tmp_path_factory.mktemp("shut"), XNAI_API_KEYS=KEY)


class Seen:
    """What a page asks for, and what its console says."""

    def __init__(self, page: Page) -> None:
        self.bundles = 0
        self.refused: list[str] = []
        self.errors: list[str] = []
        page.on("response", self._answered)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _answered(self, response) -> None:
        self.bundles += bool(BUNDLE.search(response.url))
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")

    def _said(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)


def test_a_first_visit_loads_the_page_once_and_without_an_error(
    page: Page, open_server: Server, shot
):
    seen = Seen(page)

    page.goto(open_server.url)

    expect(page.locator(USABLE)).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1500)
    assert (seen.bundles, seen.refused, seen.errors) == (1, [], [])
    expect(page.locator("#user-nav-button")).to_be_hidden()
    shot("40-first-visit")


def test_an_idle_page_asks_for_nothing_and_is_told_how_the_server_is_doing(
    page: Page, open_server: Server
):
    page.goto(open_server.url)
    expect(page.locator(USABLE)).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#xnai-status")).to_contain_text("cannot be reached")
    page.wait_for_timeout(2000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)
    assert asked == []


def test_a_link_to_a_chat_opens_that_chat_at_the_first_visit(
    browser: Browser, page: Page, open_server: Server
):
    page.goto(open_server.url)
    expect(page.locator(USABLE)).to_be_visible(timeout=PATIENCE)
    thread = keep_chat(open_server.folder / "data", "Kept", ("Is it kept?", "It is kept."))
    fresh = browser.new_context()
    visitor = fresh.new_page()
    seen = Seen(visitor)

    visitor.goto(f"{open_server.url}/thread/{thread}")

    expect(visitor.get_by_text("It is kept.")).to_be_visible(timeout=PATIENCE)
    assert visitor.url.endswith(f"/thread/{thread}")
    assert (seen.bundles, seen.refused, seen.errors) == (1, [], [])
    fresh.close()


def test_with_keys_a_link_survives_the_form_and_the_way_out(page: Page, shut_server: Server, shot):
    seen = Seen(page)
    page.goto(f"{shut_server.url}/")
    shot("41-sign-in")
    page.get_by_label("Your key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    seen.refused.clear()
    seen.errors.clear()
    page.get_by_label("Your key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator(USABLE)).to_be_visible(timeout=PATIENCE)
    assert (seen.bundles, seen.refused, seen.errors) == (1, [], [])

    thread = keep_chat(shut_server.folder / "data", "Kept", ("Is it kept?", "It is kept."))
    page.context.clear_cookies()
    page.goto(f"{shut_server.url}/thread/{thread}")
    page.get_by_label("Your key").fill(KEY)
    page.keyboard.press("Enter")

    expect(page.get_by_text("It is kept.")).to_be_visible(timeout=PATIENCE)
    assert page.url.endswith(f"/thread/{thread}")
    page.locator("#user-nav-button").click()
    page.get_by_text("Logout").click()
    expect(page.get_by_label("Your key")).to_be_visible(timeout=PATIENCE)
    assert page.url.endswith(f"/login?next=/thread/{thread}")
