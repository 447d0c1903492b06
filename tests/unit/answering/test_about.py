"""Questions about what a document is."""

import pytest

from xnai.answering.about import as_summary, is_about
from xnai.answering.query import kind_of


@pytest.mark.parametrize(
    "question",
    [
        "What is this notice about?",
        "What is this document?",
        "What are these documents?",
        "What kind of form is this?",
        "what's this about",
        "Worum geht es in diesem Vertrag?",
        "De quoi parle ce document ?",
        "¿De qué trata este documento?",
    ],
)
def test_a_question_about_all_of_a_document(question):
    assert is_about(question)
    assert kind_of(question) == "summary"


@pytest.mark.parametrize(
    "question",
    [
        "What is the rent about?",
        "What is this document's date?",
        "What is the notice period?",
        "What is this worth?",
        "Which section is about children?",
        "What is section 4 about?",
        "Worum geht es in Abschnitt 4.2?",
    ],
)
def test_a_question_about_a_part_or_a_value_is_none(question):
    assert not is_about(question)


def test_the_model_is_asked_for_a_summary_in_the_language_of_the_question():
    assert as_summary("Worum geht es hier?", "de").startswith("Fasse dieses Dokument")
    assert as_summary("What is this about?", "en") == "Summarise this document in two sentences."
    assert as_summary("What is this about?", "ja") == "What is this about?"
    assert as_summary("What is the rent?", "en") == "What is the rent?"
