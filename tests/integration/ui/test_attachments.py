"""Files are read when they are attached; what is not sent leaves nothing behind."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from saying_endpoint import saying_server

from rig.page import Page, upload
from rig.waiting import eventually
from rig.whole_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("attachments")) as started:
        yield started


class Desk(Page):
    """A page, and the rows of its files as they were told last."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.rows: list[dict[str, Any]] = []

    async def attach(self, name: str, text: str) -> str:
        """Attach a file, and wait until its row says that it was read; returns the file's id."""
        assert self.tab is not None
        self.tab.socket.on("window_message", self._hear(self._window))
        answer = await upload(self.http, self.session, name, text.encode(), "text/plain")
        return str(answer.raise_for_status().json()["id"])

    async def is_read(self, name: str) -> None:
        await eventually(
            lambda: any(row["name"] == name and row["state"] == "read" for row in self.rows),
            lambda: f"{name} is read: {self.rows}",
        )

    async def send(self, text: str, *files: str) -> None:
        """Send a message with files that were attached, and wait for its answer."""
        message = {"id": str(uuid.uuid4()), "name": "me", "type": "user_message", "output": text}
        references = [{"id": file} for file in files]
        before = len(self.answers())
        await self.emit("client_message", {"message": message, "fileReferences": references})
        await self.until(lambda: len(self.answers()) > before and not self.loading, "an answer")

    async def documents(self) -> str:
        """The page with all documents."""
        return (await self.http.get("/documents")).raise_for_status().text

    async def leave(self) -> None:
        """Begin a new chat, which ends the session of this one."""
        assert self.tab is not None
        await self.tab.socket.call("clear_session")  # heard, before the connection ends
        await self.close()

    def _window(self, data: Any) -> None:
        if isinstance(data, dict) and data.get("type") == "xnai:files":
            self.rows = data["rows"]


@pytest.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    opened = await Desk(server).open()
    yield opened
    await opened.close()
    await opened.http.aclose()


async def gone(desk: Desk, name: str) -> None:
    async def is_gone() -> bool:
        return name not in await desk.documents()

    await eventually(is_gone, f"{name} is gone")


async def test_a_file_is_read_before_its_message_and_not_once_more_with_it(
    desk: Desk, server: Server
):
    file = await desk.attach("lamp.txt", "The lamp was replaced in October 1987.")
    await desk.is_read("lamp.txt")
    assert "lamp.txt" in await desk.documents()
    await desk.send("When was the lamp replaced?", file)
    assert server.log.count("document_processed") == 1
    await desk.leave()
    assert "lamp.txt" in await desk.documents()


async def test_what_was_attached_and_never_sent_goes_with_its_chat(desk: Desk):
    await desk.attach("draft.txt", "Nobody has sent this.")
    await desk.is_read("draft.txt")
    await desk.leave()
    await gone(desk, "draft.txt")


async def test_what_was_taken_back_is_not_asked_about(desk: Desk):
    await desk.attach("secret.txt", "The code of the vault is 4711.")
    kept = await desk.attach("open.txt", "The gate closes at ten.")
    await desk.is_read("secret.txt")
    await desk.is_read("open.txt")
    await desk.send("When does the gate close?", kept)
    shown = await desk.documents()
    assert "open.txt" in shown
    assert "secret.txt" not in shown


async def test_a_new_version_waits_for_its_message_since_it_deletes_the_old_one(desk: Desk):
    first = await desk.attach("plan.txt", "The fair is on Monday.")
    await desk.is_read("plan.txt")
    await desk.send("When is the fair?", first)
    assert desk.thread
    await desk.attach("plan.txt", "The fair is on Tuesday.")
    other = await desk.attach("other.txt", "Another file.")
    await desk.is_read("other.txt")
    assert (await desk.documents()).count('data-name="plan.txt"') == 1
    found = (await desk.http.get("/documents?q=Monday")).text
    assert "The fair is on Monday." in found
    await desk.send("And what else?", other)
    assert "The fair is on Monday." in (await desk.http.get("/documents?q=Monday")).text
