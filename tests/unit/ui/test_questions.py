"""The buttons under an answer, from the press to the question that the pipeline is asked."""

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator
from copy import deepcopy
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import chainlit as cl
import pytest
from chainlit.context import init_ws_context
from chainlit.session import WebsocketSession
from fakes import ShelfLibrary

from rig.queue_model import QueueModel
from xnai.accounts import Principal
from xnai.answering.evidence import NOT_FOUND
from xnai.answering.pipeline import Pipeline
from xnai.answering.quoting import LEAD
from xnai.answering.streams import Streams
from xnai.errors import MODEL_CRASHED, XnaiError
from xnai.llm.protocol import Completion, CompletionEvent, Finished, ModelInfo, TokenText
from xnai.settings import Settings
from xnai.types import Citation, Document, Passage, Sentence, Usage
from xnai.ui import actions, conversation
from xnai.ui.answer_view import CLOSE_SOURCE
from xnai.ui.attachments import Attachments
from xnai.ui.broadcast import Broadcast
from xnai.ui.conversation import Turn
from xnai.ui.links import unbreak_links
from xnai.ui.questions import Questions

TOWER = "The Eiffel Tower was completed in March 1889."
WEAK = Passage("d1", "paris.pdf", 3, 0, len(TOWER), TOWER, 0.9, ranked=(Sentence(0, 45, 0.3),))
STORED = Document("d1", "thread:t", "paris.pdf", "application/pdf", 9, "", 0.0, "processed")


class OwnedShelf(ShelfLibrary):
    """A shelf that belongs to whoever asks."""

    async def documents(self, owner: str, collection: str) -> list[Document]:
        return [replace(STORED, owner=owner, collection=collection)]


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


async def none_asked(*_: Any) -> list[Any]:
    """The libraries that are asked: none is chosen."""
    return []


def house(library: OwnedShelf, model: QueueModel) -> Questions:
    runtime = SimpleNamespace(
        pipeline=Pipeline(library, model),
        library=library,
        libraries=SimpleNamespace(askable=none_asked),
        model=model,
        settings=Settings(),
        streams=Streams(),
    )
    # Nobody else looks at the thread.
    return Questions(runtime, Broadcast(SimpleNamespace()), Attachments(library, 1))


async def answered(session: WebsocketSession, question: str, answer: str) -> cl.Message:
    """A question that has got an answer, and the message of the answer."""
    init_ws_context(session)
    shown = await cl.Message(content=answer).send()
    turn = Turn(id="q", question=question, answer=answer, message=shown.id, end="stopped")
    await conversation.save_turn([session], turn)
    return shown


async def test_continue_searches_for_the_question_and_lets_the_model_go_on():
    library = OwnedShelf([WEAK])
    model = QueueModel([TokenText("completed in March 1889."), Finished("stop", Usage())])
    asked = "When was the tower completed?"
    shown = await answered(page([]), asked, "The tower was")
    questions = house(library, model)

    questions.continue_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()

    assert library.queries == [asked]
    assert unbreak_links(shown.content).startswith("The tower was completed in March 1889. [1]")


async def test_what_is_added_to_an_answer_keeps_the_citations_that_it_had():
    rent = "The rent is 840 euros."
    cited = Citation(1, "d0", "lease.pdf", 2, 0, len(rent), rent, 0.9)
    session = page([])
    init_ws_context(session)
    shown = await cl.Message(content=f"{rent} [1]").send()
    turn = Turn(
        id="q",
        question="When was the tower completed?",
        answer=f"{rent} [1]",
        message=shown.id,
        end="stopped",
        cited=[asdict(cited)],
    )
    await conversation.save_turn([session], turn)
    added = QueueModel([TokenText("It was completed in March 1889."), Finished("stop", Usage())])
    questions = house(OwnedShelf([WEAK]), added)

    questions.continue_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()

    places = re.findall(r"\[\[(\d)\]\]\(/reader/(\w+)\?page=(\d)", shown.content)
    assert places[:2] == [("1", "d0", "2"), ("2", "d1", "3")]
    assert shown.content.count("lease.pdf, p. 2**") == 1


async def test_an_answer_at_its_longest_length_can_be_continued_now_and_after_a_reload():
    told: list[tuple[str, Any]] = []
    model = QueueModel([TokenText("The tower was completed in"), Finished("length", Usage())])
    await answered(page(told), "When was the tower completed?", "Once")
    questions = house(OwnedShelf([WEAK]), model)

    questions.repeat_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()

    offered = [data["name"] for event, data in told if event == "action"]
    assert actions.CONTINUE in offered
    question = {"id": "q", "type": "user_message", "output": "When?", "createdAt": "1"}
    kept = [
        {**data, "createdAt": "2"}
        for event, data in told
        if event == "new_message" and data["type"] == "assistant_message"
    ]
    (turn,) = conversation.read_turns([question, kept[-1]])
    assert turn["end"] == actions.CUT_SHORT
    after = actions.actions_after(turn["end"], turn["id"], turn["answer"], model)
    assert [one.name for one in after] == [actions.CONTINUE, actions.AGAIN]


async def test_an_answer_can_be_given_again_by_another_model_that_can(
    monkeypatch: pytest.MonkeyPatch,
):
    init_ws_context(page([]))
    whoever = Principal("somebody", "key")
    monkeypatch.setattr(actions, "principal_of", lambda _: whoever)
    model = QueueModel([])
    names = ("queue", "bundled", "larger", "other", "fourth")
    model.models = lambda: [ModelInfo(one, one, 1, bundled=one == "bundled") for one in names]
    assert len(actions.actions_after("completed", "q", "Yes.", model)) == 1  # it is not theirs
    whoever = Principal("somebody", "local", frozenset({"operate"}))
    offered = actions.actions_after("completed", "q", "Yes.", model)
    assert [one.payload.get(actions.MODEL) for one in offered] == [None, "larger", "other"]
    assert [one.label for one in offered[1:]] == ["With larger", "With other"]
    assert len({one.id for one in offered}) == len(offered)


class SlowModel(QueueModel):
    """Takes longer for a part than the page leaves between two changes of a status."""

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        await asyncio.sleep(0.2)
        yield TokenText(completion.messages[-1].content.split(".")[0].removeprefix("Text: "))
        yield Finished("stop", Usage())


async def test_one_line_says_how_far_an_answer_by_parts_is_and_what_it_rests_on():
    told: list[tuple[str, Any]] = []
    names = ("Ann keeps bees", "Bob bakes bread", "Cid carves wood")
    texts = [f"{name}. {'It is so on each day. ' * 60}" for name in names]
    shelf = [Passage("d1", "p.pdf", n, 0, len(t), t, 0.9, n) for n, t in enumerate(texts)]
    await answered(page(told), "List all events.", "Ann")
    questions = house(OwnedShelf(shelf), SlowModel(context_tokens=1000))

    questions.repeat_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()

    steps = [(event, data) for event, data in told if isinstance(data, dict) and "name" in data]
    lines = [(event, step) for event, step in steps if step.get("type") == "tool"]
    assert [event for event, _ in lines] == ["new_message", *["update_message"] * (len(lines) - 1)]
    assert len({step["id"] for _, step in lines}) == 1
    assert sum("of 3 parts" in step["name"] for _, step in lines) > 1
    assert "Writing" not in str(lines)
    assert lines[-1][1]["name"].startswith("3 sources, ")
    shown = next(
        step["output"] for _, step in reversed(steps) if step.get("type") == "assistant_message"
    )
    assert "Cid carves wood [3]" in unbreak_links(shown)


FAR = replace(WEAK, ranked=(Sentence(0, 45, 0.9),))


async def shown_of(model: QueueModel) -> list[str]:
    """What the page shows of an answer, each change of it, and what follows."""
    told: list[tuple[str, Any]] = []
    await answered(page(told), "When was the tower completed?", "Once")
    questions = house(OwnedShelf([FAR]), model)
    questions.repeat_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()
    return [
        unbreak_links(data["output"])
        for _, data in told
        if isinstance(data, dict) and data.get("type") == "assistant_message"
    ]


CITED = "Source: [1] The Eiffel Tower\nAnswer: It was completed in March 1889. And then"


async def test_an_answer_that_is_cut_keeps_the_sources_of_its_sentences():
    crash = XnaiError(MODEL_CRASHED, reason="killed")

    shown = await shown_of(QueueModel([TokenText(CITED), crash]))

    text, sources = next(one for one in shown if "**Sources**" in one).split("**Sources**")
    assert text.startswith("It was completed in March 1889. [1]")
    assert sources.count("\n- [1]") == 1


async def test_below_the_words_that_nothing_was_found_there_are_no_sources():
    refusal = "Source: none\nAnswer: This is not in your documents."

    *_, shown = await shown_of(QueueModel([TokenText(refusal), Finished("stop", Usage())]))

    assert shown == NOT_FOUND


async def test_when_nothing_was_found_the_source_of_an_earlier_answer_is_closed():
    told: list[tuple[str, Any]] = []
    await answered(page(told), "When was the tower completed?", "Once")
    refusal = "Source: none\nAnswer: This is not in your documents."
    questions = house(
        OwnedShelf([FAR]), QueueModel([TokenText(refusal), Finished("stop", Usage())])
    )

    questions.repeat_last({actions.QUESTION: "q"})
    await questions.wait_until_idle()

    assert ("window_message", {"type": CLOSE_SOURCE}) in told


async def test_quotes_of_a_small_model_are_shown_with_their_sources_and_without_a_warning():
    *_, shown = await shown_of(QueueModel(parameters=135_000_000))

    assert shown.startswith(LEAD)
    assert "**Sources**" in shown
    assert "No sentence of this answer" not in shown
    assert shown.count("The Eiffel Tower") == 2  # quoted, and in the list of sources
