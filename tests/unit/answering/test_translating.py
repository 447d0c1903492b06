"""Questions in another language than the documents, and what is shown to put them in theirs."""

import pytest

from xnai.answering.reading import translating
from xnai.answering.reading.lines import make_sheet
from xnai.types import PageText

LEASE = (
    "Lease of 4 Quarry Lane between Anne Holm as landlord and the tenants who sign below.",
    "The rent of £980 is paid on the first day of every month by standing order.",
    "A deposit of £1,150 is lodged with the scheme and is returned at the end.",
    "Pets are kept with the written consent of the landlord only.",
    "Short.",
)
SHEET = make_sheet([PageText("d", "lease.pdf", 1, None, "\n\n".join(LEASE))])
QUESTION = "Wie hoch ist die Kaution?"


@pytest.mark.parametrize(
    ("question", "language", "wanted"),
    [
        (QUESTION, "de", "en"),
        ("How high is the deposit?", "en", ""),
        ("?", "xx", ""),
        ("Wie? " * 70, "de", ""),
    ],
)
def test_a_question_in_another_language_is_put_in_that_of_the_text(question, language, wanted):
    assert translating.language_of(question, language, SHEET) == wanted


def test_the_nearest_lines_show_their_words():
    cosines = [0.2, 0.3, 0.9, 0.1, 1.0]  # the last one is too short to show any
    shown = translating.messages(QUESTION, "en", SHEET, cosines)[-1].content
    assert shown.startswith(f"Text: {LEASE[2]} {LEASE[1]}")
    assert shown.endswith(f"Question: {QUESTION} In English:")


def test_without_an_embedder_the_longest_lines_are_shown():
    shown = translating.messages(QUESTION, "en", SHEET, [])[-1].content
    assert shown.startswith(f"Text: {LEASE[0]}")


def test_what_the_model_writes_is_believed_only_as_a_question():
    assert translating.translated(" How high is the deposit?\n", QUESTION).startswith("How high")
    assert translating.translated("The deposit is £1,150.", QUESTION) == QUESTION
