"""Chats as the history keeps them, written beside a running server."""

import sqlite3
import uuid
from pathlib import Path
from typing import Any

from xnai.accounts import Principal
from xnai.ui.history.data_layer import FILE_NAME
from xnai.ui.history.rows import now
from xnai.ui.history.sqlite.store import HistoryStore

Turn = tuple[str, str]  # a question and its answer


def keep_chat(data: Path, name: str, *turns: Turn) -> str:
    """Keep a chat of the one person who was signed in; returns its id."""
    person = Principal(person_of(data), "local")
    store = HistoryStore(data / FILE_NAME)
    thread = str(uuid.uuid4())
    store.threads.put(person, thread, name, {}, None)
    for question, answer in turns:
        for kind, text in (("user_message", question), ("assistant_message", answer)):
            store.steps.create(person, step(thread, kind, text))
    store.close()
    return thread


def step(thread: str, kind: str, text: str, **values: Any) -> dict[str, Any]:
    """A message as Chainlit hands it over."""
    stated = {"threadId": thread, "type": kind, "name": "XNAi", "output": text}
    return {"id": str(uuid.uuid4()), "createdAt": now(), **stated, **values}


def person_of(data: Path) -> str:
    with sqlite3.connect(data / FILE_NAME) as file:
        (found,) = file.execute("SELECT identifier FROM users").fetchone()
    file.close()
    return str(found)
