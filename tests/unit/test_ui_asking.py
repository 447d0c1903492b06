"""The buttons under an answer, from the press to the question that the pipeline is asked."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import chainlit as cl
from chainlit.context import init_ws_context
from chainlit.session import WebsocketSession
from fakes import QueueModel, ShelfLibrary

from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.pipeline import Pipeline
from xnai.settings import Settings
from xnai.streams import Streams
from xnai.types import Document, Passage, Sentence, Usage
from xnai.ui import conversation, offers
from xnai.ui.asking import Asking
from xnai.ui.conversation import Turn
from xnai.ui.rooms import Rooms

TOWER = "The Eiffel Tower was completed in March 1889."
WEAK = Passage("d1", "paris.pdf", 3, 0, len(TOWER), TOWER, 0.9, ranked=(Sentence(0, 45, 0.3),))
STORED = Document("d1", "thread:t", "paris.pdf", "application/pdf", 9, "", 0.0, "processed")


class OwnedShelf(ShelfLibrary):
    """A shelf that belongs to whoever asks."""

    async def documents(self, owner: str) -> list[Document]:
        return [replace(STORED, owner=owner)]


def page(told: list[tuple[str, Any]]) -> WebsocketSession:
    async def hear(event: str, data: Any = None, *_: Any) -> None:
        told.append((event, deepcopy(data)))

    made = str(uuid.uuid4())
    return WebsocketSession(
        id=made,
        socket_id=made,
        emit=hear,
        emit_call=hear,
        user_env={},
        client_type="webapp",
        thread_id="t",
    )


def house(library: OwnedShelf, model: QueueModel) -> Asking:
    runtime = SimpleNamespace(
        pipeline=Pipeline(library, model),
        library=library,
        model=model,
        settings=Settings(),
        streams=Streams(),
    )
    return Asking(runtime, Rooms(SimpleNamespace()))  # nobody else looks at the thread


async def answered(session: WebsocketSession, question: str, answer: str) -> cl.Message:
    """A question that has got an answer, and the message of the answer."""
    init_ws_context(session)
    shown = await cl.Message(content=answer).send()
    turn = Turn(id="q", question=question, answer=answer, message=shown.id, end="stopped")
    await conversation.remember([session], turn)
    return shown


async def test_continue_searches_for_the_question_and_lets_the_model_go_on():
    library = OwnedShelf([WEAK])
    model = QueueModel([TokenText("completed in March 1889."), Finished("stop", Usage())])
    asked = "When was the tower completed?"
    shown = await answered(page([]), asked, "The tower was")
    asking = house(library, model)

    asking.go_on({offers.QUESTION: "q"})
    await asking.finish()

    assert library.queries == [asked]
    assert shown.content.startswith("The tower was completed in March 1889. [1]")


class SlowModel(QueueModel):
    """Takes longer for a part than the page leaves between two changes of a status."""

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        await asyncio.sleep(0.2)
        yield TokenText(completion.messages[-1].content.split(".")[0].removeprefix("Text: "))
        yield Finished("stop", Usage())


async def test_the_status_of_an_answer_by_parts_stays_until_its_last_line():
    told: list[tuple[str, Any]] = []
    names = ("Ann keeps bees", "Bob bakes bread", "Cid carves wood")
    texts = [f"{name}. {'It is so on each day. ' * 60}" for name in names]
    shelf = [Passage("d1", "p.pdf", n, 0, len(t), t, 0.9, n) for n, t in enumerate(texts)]
    await answered(page(told), "List all events.", "Ann")
    asking = house(OwnedShelf(shelf), SlowModel(context_tokens=400))

    asking.again({offers.QUESTION: "q"})
    await asking.finish()

    steps = [(event, data) for event, data in told if isinstance(data, dict) and "name" in data]
    status = [(event, step["id"]) for event, step in steps if "of 3 parts" in step["name"]]
    events = [event for event, _ in status]
    assert events == ["new_message", "update_message", "delete_message"]
    assert len({step for _, step in status}) == 1
    assert "Cid carves wood [3]" in next(
        step["output"] for _, step in reversed(steps) if step.get("type") == "assistant_message"
    )
