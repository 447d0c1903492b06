"""In which language an answer says what the program itself has to say."""

from itertools import islice

from xnai.answering.events import Question
from xnai.locale import ENGLISH, Texts, texts_in
from xnai.text.detection import OTHER, detect

_TURNS = 4  # questions, the newest first, of which one may tell its language


def language_of(question: Question) -> str:
    """Return the language of a question, as ``detect`` has it.

    One that is too short to tell is in that of the questions before it, else in the reader's.
    """
    before = (turn.content for turn in reversed(question.history) if turn.role == "user")
    asked = before if question.continues else iter((question.text, *before))
    found = (detect(text, question.reader) for text in islice(asked, _TURNS))
    return next(filter(None, found), question.reader or ENGLISH)


def texts_for(question: Question, language: str = "") -> Texts:
    """Return the texts in the language of a question; in the reader's, where there are none."""
    language = language or language_of(question)
    return texts_in(question.reader if language == OTHER else language)
