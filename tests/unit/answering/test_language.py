"""What the program says in an answer is in the language of its question."""

import pytest

from xnai.answering.events import Question
from xnai.answering.language import language_of, texts_for
from xnai.types import Message


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
