"""The page as axe sees it, for people who do not: in both themes, wherever somebody comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_pages import ANSWER_MS, say, visit
from paths import ROOT
from playwright.sync_api import Browser, Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

AXE = ROOT / "tests" / "vendor" / "axe-core" / "axe.min.js"
NOTES = "The lamp was replaced in October 1987. It flashes three times.\n"
ANSWER = (
    "The lamp was replaced in October 1987. [1]\n\n| Part | Price |\n| - | - |\n| Lamp | $5 |\n\n"
    "\\(x^2\\)\n\n```py\nx = 1\n```"
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("accessible")) as server:
        yield server


def problems(page: Page) -> list[str]:
    """What axe finds: the rule, and the elements that break it."""
    # What fades in has no contrast yet.
    page.wait_for_function(
        "() => document.getAnimations().every((one) => one.playState !== 'running')"
    )
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        "(rules) => axe.run(document, { runOnly: rules.runOnly, resultTypes: rules.resultTypes })",
        RULES,
    )
    return [
        f"{one['id']}: {node['target']} {node['html']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_of_the_page_is_out_of_reach(
    browser: Browser, chat: Server, theme: str, handbook: Path
):
    opened = browser.new_context(
        viewport={"width": 1280, "height": 860}, color_scheme=theme, reduced_motion="reduce"
    )
    page = opened.new_page()
    visit(page, chat.url)
    expect(page.locator("html")).to_have_class(theme)
    found = {"start page": problems(page)}

    page.locator("#upload-button-input").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": NOTES.encode()}
    )
    expect(page.locator("#xnai-files .xnai-is-read")).to_be_visible(timeout=ANSWER_MS)
    found["attached file"] = problems(page)
    say(page, ANSWER, "When was the lamp replaced?")
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    found["answer"] = problems(page)

    page.locator(".message-content a[href^='/reader/']").first.click()
    expect(page.locator("#xnai-reader mark")).to_be_visible()
    found["panel"] = problems(page)
    where = page.locator("#xnai-reader .xnai-outside").get_attribute("href")
    page.keyboard.press("Escape")

    page.locator("#xnai-documents").click()
    expect(page.locator("#xnai-list")).to_be_visible()
    found["documents"] = problems(page)
    page.keyboard.press("Escape")

    page.locator("#chat-settings-open-modal").click()
    expect(page.locator("#chat-settings")).to_be_visible()
    found["settings"] = problems(page)

    page.goto(f"{chat.url}{where}")
    expect(page.locator("mark")).to_be_visible()
    found["reader"] = problems(page)

    file_id = chat.upload("keepers.pdf", handbook.read_bytes())
    page.goto(f"{chat.url}/reader/{file_id}?page=2&start=5&end=60")
    expect(page.locator(".xnai-layer mark").first).to_be_visible(timeout=ANSWER_MS)
    found["reader of a PDF"] = problems(page)

    page.goto(f"{chat.url}/documents?q=notes")
    expect(page.locator(".xnai-places li").first).to_be_visible()
    page.locator("[data-do=ask]").first.click()
    found["all documents"] = problems(page)

    page.goto(f"{chat.url}/models")
    expect(page.locator(".xnai-models li").first).to_be_visible()
    page.locator("[data-do=ask]").first.click()
    found["models"] = problems(page)
    opened.close()
    if any(found.values()):
        told = (f"{place}: {one}" for place, all_of_it in found.items() for one in all_of_it)
        pytest.fail("\n".join(told), pytrace=False)
