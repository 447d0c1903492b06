"""Conversations as files: a long one keeps nobody waiting, and says what it lacks."""

import json
import threading
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chainlit.config import config
from chainlit.user import User
from starlette.requests import Request

from xnai.accounts.attempts import Attempts
from xnai.accounts.people import People
from xnai.api.auth import Authority
from xnai.settings import Settings
from xnai.ui.history.data_layer import SqliteHistory
from xnai.ui.pages import export

LONG = "The lamp was replaced. " * 4000  # characters of an answer
NOTE = "The beginning of this long conversation is kept, but not shown."


@pytest.fixture
async def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteHistory]:
    async def deleted(_thread_id: str) -> None:
        """Nothing else is kept of a thread."""

    made = SqliteHistory(tmp_path, deleted)
    monkeypatch.setattr(config.code, "data_layer", lambda: made)
    monkeypatch.setattr("xnai.ui.pages.export.get_data_layer", lambda: made)
    yield made
    await made.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    runtime: Any = SimpleNamespace(
        people=People(tmp_path), attempts=Attempts(), settings=Settings(data_dir=tmp_path)
    )
    return Authority(runtime, lambda _: None)


async def conversation(history: SqliteHistory, authority: Authority, answers: int) -> str:
    person = authority.caller(request("", "md"))  # who acts from here on
    await history.create_user(User(identifier=person.person_id))
    thread_id = str(uuid.uuid4())
    await history.update_thread(thread_id, name="The lamp")
    for number in range(answers):
        step = {
            "id": str(uuid.uuid4()),
            "threadId": thread_id,
            "type": "assistant_message",
            "name": "XNAi",
            "createdAt": f"2026-01-01T00:00:{number:02}Z",
            "output": LONG,
        }
        await history.create_step(step)
    return thread_id


def request(thread_id: str, kind: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": f"/conversations/{thread_id}",
            "path_params": {"id": thread_id},
            "query_string": f"as={kind}".encode(),
            "headers": [],
        }
    )


@pytest.mark.parametrize(("answers", "is_whole"), [(3, True), (50, False)])
async def test_a_conversation_is_written_down_beside_the_event_loop_and_says_whether_it_is_whole(
    history: SqliteHistory,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    answers: int,
    is_whole: bool,
):
    thread_id = await conversation(history, authority, answers)
    threads: list[threading.Thread] = []
    for name in ("messages_of", "as_json", "as_markdown"):
        work = getattr(export, name)

        def watched(*args: Any, _work: Any = work, **named: Any) -> Any:
            threads.append(threading.current_thread())
            return _work(*args, **named)

        monkeypatch.setattr(export, name, watched)
    exported = export.ConversationExport(authority)

    told = await exported.get(request(thread_id, "json"))
    read = await exported.get(request(thread_id, "md"))

    assert threading.main_thread() not in threads
    assert len(threads) == 4
    whole = json.loads(bytes(told.body))
    assert (told.status_code, whole["complete"]) == (200, is_whole)
    assert len(whole["messages"]) == answers or not is_whole
    assert (NOTE in bytes(read.body).decode()) is not is_whole
