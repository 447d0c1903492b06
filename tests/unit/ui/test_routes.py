import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chainlit.config
import pytest
from chainlit.session import WebsocketSession, ws_sessions_id, ws_sessions_sid
from starlette.requests import Request

from xnai.settings import Settings
from xnai.ui.chainlit import routes
from xnai.ui.chainlit.errors import PageError
from xnai.ui.chainlit.routes import display_name

FULL = Path("/dev/full")  # every write ends as on a full disk


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("a\0b\nc.txt", "abc.txt"),
        ("\u202efdp.exe", "fdp.exe"),
        ("..", ".."),
        ("/", "file"),
        ("\u200b", "file"),
        ("Müller - 报告.pdf", "Müller - 报告.pdf"),
    ],
)
def test_a_file_name_is_shown_without_folders_and_invisible_characters(sent: str, shown: str):
    assert shown == display_name(sent)


def test_a_long_file_name_keeps_its_end():
    name = display_name("x" * 300 + ".pdf")
    assert (len(name), name.endswith("x.pdf")) == (255, True)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebsocketSession]:
    async def hear(*_: object) -> None:
        """A page."""

    monkeypatch.setattr(chainlit.config, "FILES_DIRECTORY", tmp_path)
    made = str(uuid.uuid4())
    opened = WebsocketSession(
        id=made, socket_id=made, emit=hear, emit_call=hear, user_env={}, client_type="webapp"
    )
    yield opened
    ws_sessions_id.pop(made)
    ws_sessions_sid.pop(made)


def upload(content: bytes) -> Request:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    body = head + content + b"\r\n--x--"
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return sent.pop()

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/project/file", "headers": headers}
    return Request({**scope, "query_string": b""}, receive)


@pytest.mark.parametrize(("size", "place"), [(9, "the session"), (3_000_000, "what has come")])
async def test_an_upload_to_the_page_is_told_of_a_full_disk_and_leaves_nothing(
    session: WebsocketSession, monkeypatch: pytest.MonkeyPatch, size: int, place: str
):
    if place == "the session":
        name = str(uuid.uuid4())
        monkeypatch.setattr(routes.uuid, "uuid4", lambda: name)
        session.files_dir.mkdir()
        (session.files_dir / name).symlink_to(FULL)
    else:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FULL.open("w+b", buffering=0))
    uploads = routes._Uploads(Settings(), lambda *_: pytest.fail("nothing has come"))

    with pytest.raises(PageError) as caught:
        await uploads._receive(upload(b"x" * size), session)

    assert caught.value.error.code == "disk_full"
    assert session.files == {}
    assert not list(session.files_dir.glob("*"))
