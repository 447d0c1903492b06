"""The models on a page of their own and in the panel: fetched, paused, deleted, never unasked."""

from collections.abc import Iterator

import pytest
from browser_pages import visit
from playwright.sync_api import Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server
from xnai.models.catalogue import shipped

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

SMALL = "qwen2.5-coder-0.5b-instruct-q4_k_m"
ROW = "li[data-id='{}']"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    entry = shipped().get(SMALL)
    models = folder / "kept"
    models.mkdir()
    with entry.path(models).open("wb") as file:
        file.truncate(entry.size)  # a hole: it lies there, and is never opened
    with saying_server(folder, XNAI_MODELS_DIR=str(models), XNAI_HUB="off") as server:
        yield server


def test_it_says_before_a_download_where_it_goes_and_fetches_nothing_unasked(
    page: Page, chat: Server, shot
):
    visit(page, chat.url)
    page.get_by_role("button", name="Models").click()
    panel = page.locator("#xnai-reader")
    row = panel.locator(ROW.format("qwen2.5-coder-1.5b-instruct-q4_k_m"))
    expect(row).to_contain_text("1,117 MB")
    expect(row).to_contain_text("Arabic")  # the browser's name of ar
    row.get_by_role("button", name="Download Qwen2.5 Coder 1.5B Instruct, 4 bits").click()
    expect(row).to_contain_text("come from the package registry that pip asks here.")
    expect(row.get_by_role("button", name="Not now")).to_be_focused()
    shot("70-models-ask")
    page.keyboard.press("Escape")
    expect(row.get_by_role("button", name="Not now")).to_be_hidden()
    expect(panel).to_be_visible()
    expect(panel.locator(ROW.format("Qwen3-1.7B-Q4_K_M")).get_by_role("button")).to_have_count(0)
    assert chat.health()["models"]["state"] == "idle"


def test_it_deletes_after_asking(page: Page, chat: Server):
    page.goto(f"{chat.url}/models")
    row = page.locator(ROW.format(SMALL))
    row.get_by_role("button", name="Delete Qwen2.5 Coder 0.5B Instruct, 4 bits").click()
    expect(row).to_contain_text("Delete its file from this machine?")
    row.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#xnai-told")).to_contain_text("Deleted Qwen2.5 Coder 0.5B")
    expect(row.get_by_role("button", name="Download Qwen2.5 Coder 0.5B")).to_be_visible()
    assert not list((chat.folder / "kept").glob("*.gguf"))
