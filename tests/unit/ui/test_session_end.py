import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import chainlit.config
import chainlit.server
import pytest
from chainlit.chat_context import chat_contexts
from chainlit.session import WebsocketSession
from chainlit.user_session import user_sessions

from xnai.documents.folder_lock import FolderClaim
from xnai.ui.chainlit import session_end


@pytest.fixture(autouse=True)
def chainlit_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stray = tmp_path / ".files"
    stray.mkdir()
    for module in (chainlit.config, chainlit.server):
        monkeypatch.setattr(module, "FILES_DIRECTORY", stray)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(WebsocketSession, "delete", WebsocketSession.delete)


class Layer:
    def __init__(self, *threads: str) -> None:
        self.threads = threads

    async def get_thread_author(self, thread_id: str) -> str:
        return "ann" if thread_id in self.threads else ""


def session(thread_id: str) -> Any:
    made = str(uuid.uuid4())
    return WebsocketSession(
        id=made,
        socket_id=f"socket of {made}",
        emit=lambda *_: None,
        emit_call=lambda *_: None,
        user_env={},
        client_type="webapp",
        thread_id=thread_id,
    )


def listen() -> list[tuple[str, bool]]:
    heard: list[tuple[str, bool]] = []

    async def deleted(thread_id: str, persisted: bool) -> None:
        await asyncio.sleep(0)
        heard.append((thread_id, persisted))

    session_end.install(deleted)
    return heard


async def test_the_end_of_a_session_tells_whether_its_thread_is_kept(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(session_end, "get_data_layer", lambda: Layer("kept"))
    heard = listen()
    for thread_id in ("kept", "forgotten"):
        await session(thread_id).delete()
    assert heard == [("kept", True), ("forgotten", False)]


async def test_a_thread_that_is_open_elsewhere_has_not_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_end, "get_data_layer", Layer)
    heard = listen()
    first, second = session("shared"), session("shared")
    await first.delete()
    before = list(heard)
    await second.delete()
    assert (before, heard) == ([], [("shared", False)])


async def test_what_chainlit_keeps_of_a_session_is_freed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_end, "get_data_layer", lambda: None)
    listen()
    ended = session("thread")
    chat_contexts[ended.id] = []
    user_sessions[ended.id] = {}
    await ended.delete()
    assert (ended.id in chat_contexts, ended.id in user_sessions) == (False, False)


async def test_installing_twice_tells_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_end, "get_data_layer", lambda: None)
    first, second = listen(), listen()
    await session("thread").delete()
    assert (first, second) == ([], [("thread", False)])


async def test_a_listener_that_fails_does_not_stop_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_end, "get_data_layer", lambda: None)

    async def fails(_thread_id: str, _persisted: bool) -> None:
        raise OSError("busy")

    session_end.install(fails)
    ended = session("thread")
    await ended.delete()
    assert WebsocketSession.get_by_id(ended.id) is None


def test_uploads_lie_in_the_data_folder_and_chainlits_own_folder_goes(tmp_path: Path):
    assert session_end.use_files_directory(tmp_path / "data")
    uploads = tmp_path / "data" / "uploads"
    assert uploads == tmp_path / "data" / "uploads"
    assert [chainlit.config.FILES_DIRECTORY, chainlit.server.FILES_DIRECTORY] == [uploads] * 2
    assert (tmp_path / ".files").exists() is False
    assert tempfile.gettempdir() == str(tmp_path / "data" / "tmp")


def test_a_folder_of_chainlit_that_is_not_empty_stays(tmp_path: Path):
    (tmp_path / ".files" / "mine").touch()
    session_end.use_files_directory(tmp_path / "data")
    assert (tmp_path / ".files" / "mine").exists()


@pytest.mark.parametrize(("shared", "left"), [(False, []), (True, ["new"])])
def test_uploads_that_outlived_their_process_are_removed(
    tmp_path: Path, shared: bool, left: list[str]
):
    uploads, spool = tmp_path / "data" / "uploads", tmp_path / "data" / "tmp"
    for name, age in (("old", 25 * 3600), ("new", 3600)):
        for folder in (uploads, spool):
            (folder / name).mkdir(parents=True)
            (folder / name / "file").touch()
            os.utime(folder / name, (time.time() - age,) * 2)
    other = FolderClaim(uploads)
    other.share() if shared else other.release()
    session_end.use_files_directory(tmp_path / "data")
    other.release()
    assert left == [path.name for path in uploads.glob("[!.]*")]
    assert left == [path.name for path in spool.iterdir()]
