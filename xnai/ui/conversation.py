"""The turns of a chat as the model is to see them.

Chainlit's own chat_context also holds errors, notices and stopped messages, grows for ever and is
doubled on a resume; this is a plain list in the user session, so it is saved with the thread.
"""

from collections.abc import Sequence
from typing import TypedDict

import chainlit as cl
from chainlit.step import StepDict

from xnai.types import Message
from xnai.ui.render import SOURCES

_KEY = "turns"
_KEPT = 20


class Turn(TypedDict):
    """One question with its answer; ``id`` is the id of the user's message."""

    id: str
    question: str
    answer: str


def turns() -> list[Turn]:
    """All turns that are kept, oldest first."""
    stored = cl.user_session.get(_KEY)
    return list(stored) if isinstance(stored, list) else []


def before(message_id: str) -> tuple[Message, ...]:
    """The history for a message; asking an edited message again forgets what came after it."""
    kept = turns()
    ids = [turn["id"] for turn in kept]
    if message_id in ids:
        kept = kept[: ids.index(message_id)]
        cl.user_session.set(_KEY, kept)
    history: list[Message] = []
    for turn in kept:
        history.append(Message("user", turn["question"]))
        history.append(Message("assistant", turn["answer"]))
    return tuple(history)


def restore(steps: Sequence[StepDict]) -> None:
    """Take the turns of a thread from its messages, where the session's own were not saved.

    They are saved when the page is closed, which a server that was killed did not see.
    """
    if turns():
        return
    question: StepDict | None = None
    restored: list[Turn] = []
    for step in sorted(steps, key=lambda step: step.get("createdAt") or ""):
        if step["type"] == "user_message":
            question = step
        elif step["type"] == "assistant_message" and question and not step.get("isError"):
            answer = step["output"].split(SOURCES)[0]
            restored.append(Turn(id=question["id"], question=question["output"], answer=answer))
            question = None
    cl.user_session.set(_KEY, restored[-_KEPT:])


def remember(message_id: str, question: str, answer: str) -> None:
    """Keep a turn that got an answer."""
    if answer.strip():
        kept = [*turns(), Turn(id=message_id, question=question, answer=answer)]
        cl.user_session.set(_KEY, kept[-_KEPT:])
