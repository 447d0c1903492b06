"""The buttons under an answer, from the press to the question that the pipeline is asked."""

import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import chainlit as cl
from chainlit.context import init_ws_context
from chainlit.session import WebsocketSession
from fakes import QueueModel, ShelfLibrary

from xnai.llm.protocol import Finished, TokenText
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


async def _unheard(*_: Any) -> None: ...


def page() -> WebsocketSession:
    made = str(uuid.uuid4())
    return WebsocketSession(
        id=made,
        socket_id=made,
        emit=_unheard,
        emit_call=_unheard,
        user_env={},
        client_type="webapp",
        thread_id="t",
    )


async def test_continue_searches_for_the_question_and_lets_the_model_go_on():
    session = page()
    init_ws_context(session)
    library = OwnedShelf([WEAK])
    model = QueueModel([TokenText("completed in March 1889."), Finished("stop", Usage())])
    runtime = SimpleNamespace(
        pipeline=Pipeline(library, model),
        library=library,
        model=model,
        settings=Settings(),
        streams=Streams(),
    )
    rooms = Rooms(SimpleNamespace())  # nobody looks at the thread
    shown = await cl.Message(content="The tower was").send()
    asked = "When was the tower completed?"
    turn = Turn(id="q", question=asked, answer="The tower was", message=shown.id, end="stopped")
    await conversation.remember([session], turn)
    asking = Asking(runtime, rooms)

    asking.go_on({offers.QUESTION: "q"})
    await asking.finish()

    assert library.queries == [asked]
    assert shown.content.startswith("The tower was completed in March 1889. [1]")
