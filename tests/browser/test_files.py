"""Files on their way into a chat: dropped, pasted or chosen, and refused with a reason."""

import base64
import re
from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, finished, visit
from playwright.sync_api import Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

ROWS = "#xnai-files li"
REFUSED = f"{ROWS}.xnai-is-failed"
FILES = """(files) => { const data = new DataTransfer();
  for (const [name, size, type] of files) {
    data.items.add(new File(['x'.repeat(size)], name, { type }));
  }
  window.given = data; return data.files.length; }"""
DRAG = """(kind) => { const at = document.getElementById('header');
  const dataTransfer = window.given;
  at.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer })); }"""
PASTE = """([name, content]) => { const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  data.items.add(new File([bytes], name, { type: 'image/png' }));
  document.getElementById('chat-input').dispatchEvent(
    new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data })); }"""
PIXEL = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("files")
    with saying_server(folder, XNAI_UPLOAD_MAX_MB="1", XNAI_UPLOAD_MAX_FILES="3") as server:
        yield server


def test_files_may_be_dropped_anywhere_and_a_sign_says_so(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.evaluate(FILES, [["a.txt", 9, "text/plain"], ["b.md", 9, "text/markdown"]])
    page.evaluate(DRAG, "dragenter")
    expect(page.locator("#xnai-drop")).to_have_text("Drop the files anywhere")
    shot("60-drop")
    page.evaluate(DRAG, "dragleave")
    expect(page.locator("#xnai-drop")).to_have_count(0)
    page.evaluate(DRAG, "dragenter")
    page.evaluate(DRAG, "drop")
    expect(page.locator("#xnai-drop")).to_have_count(0)
    expect(page.get_by_text("a.txt", exact=True)).to_be_visible()
    expect(page.get_by_text("b.md", exact=True)).to_be_visible()
    expect(page.locator(REFUSED)).to_have_count(0)


def test_what_is_refused_is_named_with_its_reason_and_limit(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        [
            {"name": "setup.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"},
            {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
            {"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * 1_500_000},
            {"name": "good.txt", "mimeType": "text/plain", "buffer": b"good"},
        ]
    )
    expect(page.locator(ROWS).get_by_text("Ready to be asked about: good.txt")).to_be_visible(
        timeout=ANSWER_MS
    )
    rows = page.locator(REFUSED)
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("setup.exe cannot be read: files of this kind")
    expect(rows.nth(1)).to_contain_text("empty.txt cannot be read: it is empty.")
    expect(rows.nth(2)).to_contain_text("large.txt is too large: it has 1.5 MB, and 1 MB are read")
    assert page.locator("[data-sonner-toast]").count() == 0
    shot("61-refused")
    rows.nth(0).get_by_role("button", name="Dismiss").click()
    expect(rows).to_have_count(2)


def test_more_than_may_be_sent_at_once_are_left_out_by_name(page: Page, chat: Server):
    visit(page, chat.url)
    files = [
        {"name": f"{n}.txt", "mimeType": "text/plain", "buffer": f"file {n}".encode()}
        for n in range(4)
    ]
    page.locator("#upload-button-input").set_input_files(files)
    expect(page.locator(REFUSED)).to_have_count(1)
    expect(page.locator(REFUSED)).to_contain_text(
        "3.txt was left out: at most 3 can be sent at once"
    )


def test_a_picture_is_pasted_with_a_name_of_its_own(page: Page, chat: Server):
    visit(page, chat.url)
    page.evaluate(PASTE, ["image.png", PIXEL])
    expect(page.get_by_role("img", name=re.compile(r"^pasted-\d{4}-.*\.png$"))).to_be_visible()


def test_several_are_read_at_once_and_one_that_fails_says_why_in_its_row(
    page: Page, chat: Server, shot
):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        [
            {"name": "one.txt", "mimeType": "text/plain", "buffer": b"The first of two."},
            {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 broken"},
        ]
    )
    expect(page.get_by_text("broken.pdf", exact=True)).to_be_visible()
    page.locator("#chat-submit").click()
    finished(page)
    expect(page.get_by_text("Ready to be asked about:")).to_be_visible(timeout=ANSWER_MS)
    rows = page.locator(ROWS)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("broken.pdf")
    shot("62-one-failed")


def bytes_of(text: str, name: str, kind: str = "text/plain") -> dict[str, str | bytes]:
    return {"name": name, "mimeType": kind, "buffer": text.encode()}


LONG = "\n\n".join(f"Paragraph {n} of a long report on the harbour." for n in range(9000))


def test_a_file_is_read_as_soon_as_it_is_attached_and_goes_when_it_is_taken_back(
    page: Page, chat: Server, shot
):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        [bytes_of("The first.", "early.txt"), bytes_of("The second.", "other.txt")]
    )
    rows = page.locator(ROWS)
    expect(rows.get_by_text("Ready to be asked about: early.txt")).to_be_visible(timeout=ANSWER_MS)
    expect(rows.get_by_text("Ready to be asked about: other.txt")).to_be_visible(timeout=ANSWER_MS)
    shot("63-read-before-it-is-sent")
    page.get_by_role("button", name="Take the file back").first.click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("other.txt")
    page.locator("#chat-submit").click()
    finished(page)
    expect(page.get_by_text("Ready to be asked about:")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator(ROWS)).to_have_count(0)
    page.goto(f"{chat.url}/documents")
    expect(page.locator("li[data-name='other.txt']")).to_be_visible()
    expect(page.locator("li[data-name='early.txt']")).to_have_count(0)


def test_cancel_in_its_row_stops_the_reading_and_takes_the_file_back(page: Page, chat: Server):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files([bytes_of(LONG, "report.txt")])
    row = page.locator(ROWS)
    expect(row.locator("progress")).to_be_visible(timeout=ANSWER_MS)
    with page.expect_response(lambda one: one.request.method == "DELETE") as deleted:
        row.get_by_role("button", name="Cancel report.txt").click(timeout=ANSWER_MS)
    assert deleted.value.status == 204
    expect(page.locator("#attachments > *")).to_have_count(0)
    expect(row).to_have_count(0)
    page.goto(f"{chat.url}/documents")
    expect(page.locator("#xnai-list")).to_be_visible()
    expect(page.locator("li[data-name='report.txt']")).to_have_count(0)


def test_try_again_in_its_row_reads_the_file_once_more(page: Page, chat: Server, shot):
    visit(page, chat.url)
    page.locator("#upload-button-input").set_input_files(
        [bytes_of("%PDF-1.4 broken", "torn.pdf", "application/pdf")]
    )
    row = page.locator(ROWS)
    again = row.get_by_role("button", name="Try torn.pdf again")
    expect(again).to_be_visible(timeout=ANSWER_MS)
    shot("64-try-again")
    with page.expect_response(lambda one: one.url.endswith("/again")) as asked:
        again.click()
    assert asked.value.status == 202
    # It is out of reach until the row of the second reading takes its place.
    expect(again).to_be_enabled(timeout=ANSWER_MS)
    expect(row).to_contain_text("torn.pdf")
