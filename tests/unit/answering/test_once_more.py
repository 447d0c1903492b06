"""A question that was refused is looked at again, and answered only word for word."""

import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Question, Token
from xnai.answering.evidence import NOT_FOUND
from xnai.answering.pipeline import Pipeline
from xnai.types import Passage, Scope

REFUSAL = "Source: none\nAnswer: This is not in your documents."
TIMETABLE = (
    "Line 31, valid from 3 March.\n\nA day ticket costs 6.40 euros.\n\n"
    "No service on Sundays and public holidays.\n\nDogs travel for half the price of a child."
)


def passage(text: str, name: str = "bus.pdf", document: str = "d"):
    return Passage(document, name, 1, 0, len(text), text, 0.9)


async def answered(model: ReplyModel, asked: str, *shelf: Passage):
    question = Question(asked, "r1", "u1", scope=Scope("thread:1"))
    library = ShelfLibrary(list(shelf) or [passage(TIMETABLE)])
    events = [event async for event in Pipeline(library, model).answer(question)]
    text = "".join(event.text for event in events if isinstance(event, Token))
    return text, events[-1]


@pytest.mark.parametrize("label", ["", "Answer: ", "Source: none\n", "Source: none\nAnswer: "])
async def test_what_a_line_says_word_for_word_is_answered(label):
    again = f"{label}No service on Sundays and public holidays."
    model = ReplyModel(replies=[REFUSAL, again])

    text, done = await answered(model, "When can I take this bus on a Sunday?")

    assert text == "No service on Sundays and public holidays. [1]"
    assert done.outcome == "answered"
    assert done.citations[0].quote == "No service on Sundays and public holidays."
    first, second = model.asked
    assert second.messages[: len(first.messages)] == first.messages  # which the engine has read


@pytest.mark.parametrize(
    "again",
    [
        "The bus leaves at nine on Sundays.",  # no line says so
        "The day ticket costs 6.40 euros on Sundays and holidays.",  # of two lines
        "No service on Sundays and 2 public holidays.",  # another figure
        "On Sundays.",  # the question's own words
        "No service on Sundays and public holidays. Line 31, valid from 3 March.",  # a copy
        "This is not in your documents.",
        "",
    ],
)
async def test_whatever_else_is_said_it_stays_refused(again):
    model = ReplyModel(replies=[REFUSAL, again])
    text, done = await answered(model, "When does the bus leave on Sundays?")
    assert text == NOT_FOUND
    assert done.outcome == "not_found"
    assert not done.citations


async def test_of_several_files_none_is_looked_at_again():
    other = passage("The cinema of Ashton opens at six.", "cinema.txt", "e")
    model = ReplyModel(replies=[REFUSAL] * 4)
    text, _ = await answered(model, "Where is the key?", passage(TIMETABLE), other)
    assert text == NOT_FOUND
    assert all(len(asked.messages) % 2 == 0 for asked in model.asked)
    assert not any("Look again" in asked.messages[-1].content for asked in model.asked)


async def test_a_courtesy_that_was_refused_is_no_question():
    model = ReplyModel(replies=[REFUSAL])
    text, done = await answered(model, "hi there, what sort of things can I ask you?")
    assert done.outcome == "chat"
    assert text.startswith("I answer questions about the documents")
    assert len(model.asked) == 1
