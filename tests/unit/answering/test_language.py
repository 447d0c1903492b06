"""What the program says in an answer is in the language of its question."""

import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Question, Token
from xnai.answering.language import language_of, texts_for
from xnai.answering.pipeline import Pipeline
from xnai.types import Message, Passage, Scope


def question(text, before=(), reader="", continues=False):
    history = tuple(
        message
        for asked in before
        for message in (Message("user", asked), Message("assistant", "It is so."))
    )
    return Question(text, "r", "u", history=history, reader=reader, continues=continues)


@pytest.mark.parametrize(
    ("asked", "language", "said"),
    [
        (question("Wer hat den Vertrag unterschrieben?"), "de", "de"),
        (question("Total?"), "en", "en"),
        (question("Total?", reader="es"), "es", "es"),
        (question("Total?", ["Wer ist das?"], reader="es"), "de", "de"),
        (question("Total?", ["Wer ist das?", "Who is it?"]), "en", "en"),
        (question("Go on where it stopped.", ["Wer ist das?"], continues=True), "de", "de"),
        (question("Сколько стоит гостиница?"), "und", "en"),
        (question("Сколько стоит гостиница?", reader="fr"), "und", "fr"),
        (question("How much?", reader="nonsense"), "en", "en"),
    ],
)
def test_the_language_of_an_answer(asked, language, said):
    assert language_of(asked) == language
    assert texts_for(asked).language == said


LEASE = (
    "Die Mieter leisten eine Kaution von 1.900,00 Euro, zahlbar zum Einzug.\n"
    "Die Wohnung hat 3 Zimmer."
)


async def asked_over(text, question, replies):
    model = ReplyModel(replies=replies)
    passage = Passage("d1", "lease.pdf", 1, 0, len(text), text, 0.9)
    asked = Question(question, "r1", "u1", scope=Scope("thread:1"))
    events = [event async for event in Pipeline(ShelfLibrary([passage]), model).answer(asked)]
    text = "".join(event.text for event in events if isinstance(event, Token))
    return text, [completion.messages[-1].content for completion in model.asked]


async def test_a_question_is_put_in_the_language_of_the_documents_and_answered_in_its_own():
    answer = "Source: [1] Die Mieter leisten eine Kaution\nAnswer: 1,900 euros."
    told, prompts = await asked_over(
        LEASE, "How much is the security deposit?", ["Wie hoch ist die Kaution?", answer]
    )
    assert prompts[0].endswith("Question: How much is the security deposit? In German:")
    both = "Wie hoch ist die Kaution? (How much is the security deposit?)"
    assert prompts[1].endswith(f"Question: {both} Answer in English.")
    original = "> Die Mieter leisten eine Kaution von 1.900,00 Euro, zahlbar zum Einzug. [1]"
    assert told == f"1,900 euros. [1]\n\n{original}"


@pytest.mark.parametrize("written", ["", "Die Kaution beträgt 1.900,00 Euro."])
async def test_what_is_no_question_is_not_asked(written):
    answer = "Source: [1] Die Mieter leisten eine Kaution\nAnswer: 1,900 euros."
    _, prompts = await asked_over(LEASE, "How much is the security deposit?", [written, answer])
    assert prompts[1].endswith("Question: How much is the security deposit?")


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (LEASE, "Wie hoch ist die Kaution?"),
        ("12.50\n13.00\nHolm\nLark", "How much does Holm pay in all of it?"),
    ],
)
async def test_a_question_in_their_language_or_over_text_of_none_is_asked_as_it_is(text, question):
    _, prompts = await asked_over(text, question, ["Source: none\nAnswer: no."])
    assert question in prompts[0]
    assert "Write the question" not in prompts[0]
    assert len(prompts) == 2
    assert "Look again" in prompts[1]
