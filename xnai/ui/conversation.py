"""The turns of a chat as the model is to see them.

Chainlit's own chat_context also holds errors, notices and stopped messages, grows without bound and
is doubled on a resume. This is a plain list in the user session, so it is saved with the thread.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import chainlit as cl
from chainlit.data import get_data_layer
from chainlit.step import StepDict
from chainlit.user_session import user_sessions

from xnai.types import Citation, Message
from xnai.ui.markdown import answer_text

END = "end"  # key in a message's metadata: the state its stream ended in

_KEY = "turns"
_KEPT = 20


class Turn(TypedDict):
    """One question with its answer.

    ``id`` is the id of the user's message, ``message`` that of the answer's, ``end`` the state in
    which the answer's stream ended, ``cited`` what an answer that may be continued has cited.
    """

    id: str
    question: str
    answer: str
    message: str
    end: str
    cited: NotRequired[list[dict[str, Any]]]


def turns() -> list[Turn]:
    """Return the turns that are kept, oldest first."""
    stored = cl.user_session.get(_KEY)
    return list(stored) if isinstance(stored, list) else []


def last_turn() -> Turn | None:
    """Return the newest turn."""
    kept = turns()
    return kept[-1] if kept else None


def cited_in(turn: Turn) -> list[Citation]:
    """Return what a turn's answer has cited, as far as that is kept."""
    return [Citation(**one) for one in turn.get("cited", [])]


def history_before(message_id: str) -> tuple[Message, ...]:
    """Return the history before a message; an edited message drops the turns after it."""
    kept = turns()
    ids = [turn["id"] for turn in kept]
    if message_id in ids:
        kept = kept[: ids.index(message_id)]
        cl.user_session.set(_KEY, kept)
    return as_messages(kept)


def as_messages(kept: Iterable[Turn]) -> tuple[Message, ...]:
    """Convert turns to messages for the model."""
    messages: list[Message] = []
    for turn in kept:
        messages.append(Message("user", turn["question"]))
        messages.append(Message("assistant", turn["answer"]))
    return tuple(messages)


def restore(steps: Sequence[StepDict]) -> None:
    """Restore the turns of a thread from its messages, if the session's own were not saved.

    They are saved when an answer ends; a server that was killed did not come to that.
    """
    read = read_turns(steps)
    kept = turns()
    if not kept or (read and read[-1]["id"] not in {turn["id"] for turn in kept}):
        cl.user_session.set(_KEY, read)


def read_turns(steps: Sequence[StepDict]) -> list[Turn]:
    """Read the turns from a thread's steps; the newest of several answers counts."""
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
                answer=answer_text(step["output"]),
                message=step["id"],
                end=str(metadata.get(END) or "completed"),
            )
    return list(found.values())[-_KEPT:]


async def save_turn(sessions: Iterable[Any], turn: Turn) -> None:
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
