"""A conversation over HTTP as a file: for whom it belongs to, and for nobody else."""

import json
from collections.abc import AsyncIterator

import pytest
from saying_endpoint import saying_server

from rig.page import Page


@pytest.fixture
async def page(tmp_path) -> AsyncIterator[Page]:
    with saying_server(tmp_path) as server:
        opened = await Page(server).open()
        yield opened
        await opened.close()
        await opened.http.aclose()


async def test_a_conversation_is_a_file_of_its_name_with_what_was_said(page: Page):
    await page.ask("Say hello, please?")
    await page.until(lambda: "Hello." in page.answer() and not page.loading, "an answer")
    whole = await page.http.get(f"/conversations/{page.thread}?as=json")
    assert whole.headers["content-disposition"].endswith("Say%20hello%20please.json")
    said = [(one["role"], one["text"]) for one in json.loads(whole.text)["messages"]]
    assert said == [("user", "Say hello, please?"), ("assistant", "Hello.")]
    text = (await page.http.get(f"/conversations/{page.thread}?as=md")).text
    assert text == "# Say hello, please?\n\n> Say hello, please?\n\nHello.\n"
    unknown = await page.http.get("/conversations/00000000-0000-4000-8000-000000000000")
    strange = await page.http.get(f"/conversations/{page.thread}?as=pdf")
    assert (unknown.status_code, strange.status_code) == (404, 400)
    assert "as=pdf is no form of a conversation." in strange.text


async def test_a_chat_can_be_pinned_and_is_told_with_its_name(page: Page):
    await page.ask("Say hello, please? It is urgent.")
    await page.until(lambda: "Hello." in page.answer() and not page.loading, "an answer")
    address = f"/conversations/{page.thread}/pin"
    assert (await page.http.get("/conversations/pinned")).json() == []
    assert (await page.http.put(address)).status_code == 204
    told = (await page.http.get("/conversations/pinned")).json()
    assert told == [{"id": page.thread, "name": "Say hello, please?"}]
    unknown = "/conversations/00000000-0000-4000-8000-000000000000/pin"
    assert (await page.http.put(unknown)).status_code == 404
    assert (await page.http.delete(address)).status_code == 204
    assert (await page.http.get("/conversations/pinned")).json() == []
