"""The turns of a chat as the model is to see them.

Chainlit's own chat_context also holds errors, notices and stopped messages, grows for ever and is
doubled on a resume; this is a plain list in the user session, so it is saved with the thread.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import chainlit as cl
from chainlit.data import get_data_layer
from chainlit.step import StepDict
from chainlit.user_session import user_sessions

from xnai.types import Message
from xnai.ui.render import spoken

END = "end"  # key in a message's metadata: the state its stream ended in

_KEY = "turns"
_KEPT = 20


class Turn(TypedDict):
    """One question with its answer.

    ``id`` is the id of the user's message, ``message`` that of the answer's, ``end`` the state in
    which the answer's stream ended.
    """

    id: str
    question: str
    answer: str
    message: str
    end: str


def turns() -> list[Turn]:
    """All turns that are kept, oldest first."""
    stored = cl.user_session.get(_KEY)
    return list(stored) if isinstance(stored, list) else []


def last() -> Turn | None:
    """The newest turn."""
    kept = turns()
    return kept[-1] if kept else None


def before(message_id: str) -> tuple[Message, ...]:
    """The history for a message; asking an edited message again forgets what came after it."""
    kept = turns()
    ids = [turn["id"] for turn in kept]
    if message_id in ids:
        kept = kept[: ids.index(message_id)]
        cl.user_session.set(_KEY, kept)
    return history(kept)


def history(kept: Iterable[Turn]) -> tuple[Message, ...]:
    """Turns as messages."""
    messages: list[Message] = []
    for turn in kept:
        messages.append(Message("user", turn["question"]))
        messages.append(Message("assistant", turn["answer"]))
    return tuple(messages)


def restore(steps: Sequence[StepDict]) -> None:
    """Take the turns of a thread from its messages, where the session's own were not saved.

    They are saved when an answer has ended, which a server that was killed did not see.
    """
    read = read_turns(steps)
    kept = turns()
    if not kept or (read and read[-1]["id"] not in {turn["id"] for turn in kept}):
        cl.user_session.set(_KEY, read)


def read_turns(steps: Sequence[StepDict]) -> list[Turn]:
    """The turns that a thread's steps hold; of several answers to a question the newest counts."""
    question: StepDict | None = None
    found: dict[str, Turn] = {}
    for step in sorted(steps, key=lambda step: step.get("createdAt") or ""):
        if step["type"] == "user_message":
            question = step
        elif step["type"] == "assistant_message" and question and not step.get("isError"):
            metadata: dict[str, Any] = step.get("metadata") or {}
            found[question["id"]] = Turn(
                id=question["id"],
                question=question["output"],
                answer=spoken(step["output"]),
                message=step["id"],
                end=str(metadata.get(END) or "completed"),
            )
    return list(found.values())[-_KEPT:]


async def remember(sessions: Iterable[Any], turn: Turn) -> None:
    """Keep a turn that got an answer, for every page of the thread and in the history."""
    if not turn["answer"].strip():
        return
    asked = cl.context.session
    kept = [*(t for t in turns() if t["id"] != turn["id"]), turn][-_KEPT:]
    for session in sessions:
        user_sessions.setdefault(session.id, {})[_KEY] = kept
    layer = get_data_layer()
    if layer and asked.has_first_interaction:
        stored: Mapping[str, Any] = asked.to_persistable()
        await layer.update_thread(thread_id=asked.thread_id, metadata={**stored, _KEY: kept})
