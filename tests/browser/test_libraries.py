"""Libraries on the page: kept from a chat, chosen in another, made and deleted."""

from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, say, visit
from playwright.sync_api import Locator, Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

ROW = "li[data-name='{}']"
LAMP = "The lamp was replaced in October 1987."
ANSWER = f"Source: {LAMP}\nAnswer: {LAMP}"
QUESTION = "When was the lamp replaced?"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("libraries")) as server:
        yield server


def attach(page: Page, name: str, text: str) -> None:
    page.locator("#upload-button-input").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    )
    expect(page.get_by_text(name).first).to_be_visible()


def to_documents(page: Page, chat: Server) -> None:
    page.goto(f"{chat.url}/documents")
    loaded(page)


def loaded(page: Page) -> None:
    """Wait until the list listens: by then its dates are those of the browser's language."""
    expect(page.locator(".xnai-documents time").first).to_contain_text(",")


def settings(page: Page) -> Locator:
    page.locator("#chat-settings-open-modal").click()
    opened = page.locator("#chat-settings")
    expect(opened).to_be_visible()
    return opened


def test_what_is_kept_from_one_chat_answers_in_another(page: Page, chat: Server, shot):
    visit(page, chat.url)
    attach(page, "lamp.txt", LAMP)
    say(page, ANSWER, QUESTION)
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    page.locator("#xnai-documents").click()
    row = page.locator("#xnai-reader").locator(ROW.format("lamp.txt"))
    shot("80-keep-in-library")
    row.get_by_role("button", name="Keep in My library: lamp.txt").click()
    expect(row.locator(".xnai-badge")).to_contain_text("My library")
    shot("81-kept-in-library")

    visit(page, chat.url)
    panel = settings(page)
    shot("82-libraries-to-ask")
    panel.get_by_role("switch", name="Ask my library too").click()
    shot("83-library-chosen")
    panel.locator("#confirm").click()
    say(page, ANSWER, QUESTION)
    expect(page.get_by_text("asked too: My library")).to_be_visible(timeout=ANSWER_MS)
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    shot("84-library-asked")

    page.reload()
    expect(page.locator("#upload-button")).to_be_enabled(timeout=20_000)
    expect(settings(page).get_by_role("switch", name="Ask my library too")).to_be_checked()


def test_a_document_in_a_library_outlives_its_chat(page: Page, chat: Server):
    visit(page, chat.url)
    attach(page, "tide.txt", "The tide turns at noon.")
    say(page, "Source: The tide turns at noon.\nAnswer: At noon.", "When does the tide turn?")
    page.locator("#xnai-documents").click()
    row = page.locator("#xnai-reader").locator(ROW.format("tide.txt"))
    row.get_by_role("button", name="Keep in My library: tide.txt").click()
    expect(row.locator(".xnai-badge")).to_contain_text("My library")
    row.get_by_role("button", name="Take tide.txt out of My library").click()
    expect(row.locator(".xnai-badge")).to_have_count(0)
    row.get_by_role("button", name="Keep in My library: tide.txt").click()
    expect(row.locator(".xnai-badge")).to_contain_text("My library")
    thread = page.url.rsplit("/", 1)[-1]
    page.evaluate(
        """async (threadId) => fetch('/project/thread', {method: 'DELETE',
        headers: {'Content-Type': 'application/json'}, body: JSON.stringify({threadId})})""",
        thread,
    )
    to_documents(page, chat)
    row = page.locator(ROW.format("tide.txt"))
    expect(row).to_contain_text("In a library")
    expect(row.get_by_role("button", name="Take tide.txt out of My library")).to_have_count(0)
    row.get_by_role("link", name="tide.txt").click()
    expect(page.locator(".xnai-words")).to_contain_text("The tide turns at noon.")


def test_libraries_are_made_filled_asked_and_deleted(page: Page, chat: Server, shot):
    chat.upload("gate.txt", b"The gate closes at ten.")
    to_documents(page, chat)
    name = page.get_by_role("textbox", name="Name of a new library")
    name.fill("x" * 300)
    name.press("Enter")
    expect(page.locator("#xnai-told")).to_contain_text("has 300 characters")
    name.fill("Gates & <Doors>")
    name.press("Enter")
    expect(page.get_by_role("heading", name="Gates & <Doors>")).to_be_visible()
    expect(page.locator("#xnai-list")).to_contain_text("No documents in this library yet")
    page.locator(".xnai-libraries").get_by_role("link", name="All").click()
    expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    loaded(page)
    name.fill("gates &  <DOORS>")
    name.press("Enter")
    expect(page.locator("#xnai-told")).to_contain_text("You have a library called")

    row = page.locator(ROW.format("gate.txt"))
    row.get_by_role("combobox").select_option("Gates & <Doors>")
    expect(row.locator(".xnai-badge")).to_contain_text("Gates & <Doors>")
    shot("85-libraries")
    page.locator(".xnai-libraries").get_by_role("link", name="Gates & <Doors>").click()
    expect(page.locator(ROW.format("gate.txt"))).to_be_visible()
    expect(page.locator(ROW.format("lamp.txt"))).to_have_count(0)
    shot("86-one-library")

    visit(page, chat.url)
    panel = settings(page)
    panel.get_by_role("switch", name="Ask Gates & <Doors> too").click()
    shot("87-other-libraries")
    panel.locator("#confirm").click()
    say(page, "Source: The gate closes at ten.\nAnswer: At ten.", "When does the gate close?")
    expect(page.get_by_text("Gates & <Doors>")).to_be_visible(timeout=ANSWER_MS)

    to_documents(page, chat)
    page.locator(".xnai-libraries").get_by_role("link", name="Gates & <Doors>").click()
    expect(page.get_by_role("heading", name="Gates & <Doors>")).to_be_visible()
    loaded(page)
    page.get_by_role("button", name="Delete this library").click()
    sure = page.locator("li[data-library] .xnai-sure")
    expect(sure).to_contain_text("1 document stays where else it is.")
    sure.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    expect(page.locator(ROW.format("gate.txt"))).to_be_visible()
    expect(page.locator(".xnai-libraries")).not_to_contain_text("Gates")


def test_files_are_added_to_a_library_without_a_chat(page: Page, chat: Server, shot):
    page.goto(f"{chat.url}/documents")
    field = page.get_by_label("Add files to My library")
    expect(page.get_by_text("or drop them anywhere here")).to_be_visible()
    field.set_input_files(
        [
            {
                "name": "mole, north & <b>.txt",
                "mimeType": "text/plain",
                "buffer": b"The mole is long.",
            },
            {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
            {"name": "ship.zzz", "mimeType": "application/octet-stream", "buffer": b"\x7fELF" * 99},
        ]
    )
    rows = page.locator(".xnai-add li")
    expect(rows).to_have_count(2, timeout=ANSWER_MS)
    expect(rows.nth(0)).to_contain_text("empty.txt cannot be read: it is empty.")
    expect(rows.nth(1)).to_contain_text("ship.zzz")
    added = page.locator("li[data-name='mole, north & <b>.txt']")
    expect(added).to_contain_text("passage", timeout=ANSWER_MS)
    expect(added).to_contain_text("In a library")
    shot("88-files-added")
    for _ in range(2):
        rows.nth(0).get_by_role("button", name="Dismiss").click()
    expect(rows).to_have_count(0)

    page.locator(".xnai-libraries").get_by_role("link", name="My library").click()
    expect(page.get_by_role("heading", name="My library")).to_be_visible()
    loaded(page)
    page.evaluate(
        """() => { const data = new DataTransfer();
        data.items.add(new File(['The buoy is green.'], 'buoy.txt', {type: 'text/plain'}));
        for (const kind of ['dragenter', 'dragover', 'drop'])
          document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true,
            cancelable: true})); }"""
    )
    expect(page.locator("li[data-name='buoy.txt']")).to_contain_text("passage", timeout=ANSWER_MS)

    # A folder that is dropped: its content cannot be read as a file's.
    page.evaluate(
        """() => { const folder = new File(['x'], 'papers');
        folder.slice = () => ({arrayBuffer: () => Promise.reject(new DOMException('no'))});
        const event = new DragEvent('drop', {bubbles: true, cancelable: true});
        Object.defineProperty(event, 'dataTransfer', {value: {types: ['Files'], files: [folder]}});
        document.body.dispatchEvent(event); }"""
    )
    expect(rows).to_contain_text(["papers cannot be read: files of this kind"])
