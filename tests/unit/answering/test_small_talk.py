"""Thanks, greetings and goodbyes, which ask for nothing."""

import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Question, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.small_talk import REPLY, is_small_talk
from xnai.types import Passage, Scope

LETTER = "The lift is out of order until 4 May."


@pytest.mark.parametrize(
    "text",
    [
        "cheers, that was all, bye!",
        "Hello there",
        "Thank you so much for your help!",
        "Vielen Dank, bis morgen!",
        "Merci beaucoup, au revoir",
        "¡Muchas gracias!",
        "谢谢",
        "ありがとうございます",
        "شكرا",
    ],
)
def test_what_is_nothing_but_courtesy_is_small_talk(text):
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "Hi, who is the tenant?",
        "What happens in the morning?",
        "Thanks. And on page 2?",
        "good for how long",
        "thanks " * 40,
    ],
)
def test_what_asks_for_something_is_none(text):
    assert not is_small_talk(text)


async def test_a_goodbye_that_a_model_takes_for_a_question_is_answered_kindly():
    model = ReplyModel(replies=["Source: none\nAnswer: This is not in your documents."])
    passage = Passage("d1", "letter.pdf", 1, 0, len(LETTER), LETTER, 0.9)
    asked = Question("Cheers, bye!", "r1", "u1", scope=Scope("thread:1"))

    library = ShelfLibrary([passage])
    events = [event async for event in Pipeline(library, model).answer(asked)]

    assert "".join(event.text for event in events if isinstance(event, Token)) == REPLY
    assert events[-1].outcome == "chat"
