"""Questions about what a document is."""

import pytest

from xnai.answering.about import as_asked, is_about
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
    told = as_asked("Worum geht es hier?", "de")
    assert told == "Fasse dieses Dokument in zwei Sätzen zusammen. Antworte auf Deutsch."
    assert as_asked("What is this about?", "en") == "Summarise this document in two sentences."
    assert as_asked("What is this about?", "und") == "What is this about?"
    assert as_asked("What is the rent?", "en") == "What is the rent?"


@pytest.mark.parametrize(
    ("question", "language", "told"),
    [
        ("Fasse diesen Vertrag zusammen.", "de", "Antworte auf Deutsch."),
        ("Bitte fassen Sie das Dokument in drei Sätzen zusammen", "de", "Antworte auf Deutsch."),
        ("Résume ce document.", "fr", "Réponds en français."),
        ("¿Puedes resumir este informe?", "es", "Responde en español."),
    ],
)
def test_a_summary_is_asked_for_in_its_language(question, language, told):
    assert kind_of(question) == "summary"
    assert as_asked(question, language) == f"{question} {told}"


@pytest.mark.parametrize(
    ("question", "language", "told"),
    [
        ("tl;dr of the meeting?", "en", "Summarise this document in four sentences"),
        ("give me the gist of this contract", "en", "Summarise this document in four sentences"),
        ("Fasse diesen Vertrag zusammen.", "de", "Fasse dieses Dokument in vier Sätzen zusammen"),
        (
            "sum this letter up for me in max 3 sentences",
            "en",
            "sum this letter up for me in max 3",
        ),
        ("Summarise it for a child", "en", "Summarise it for a child"),
    ],
)
def test_a_summary_without_a_wish_is_asked_for_with_its_figures(question, language, told):
    assert kind_of(question) == "summary"
    assert as_asked(question, language, whole=True).startswith(told)
    assert as_asked(question, language).startswith(question)


@pytest.mark.parametrize(
    ("language", "told"),
    [("de", "Antworte auf Deutsch."), ("ja", "日本語で答えてください。"), ("en", ""), ("und", "")],
)
def test_a_question_in_another_language_says_so(language, told):
    assert as_asked("?", language) == f"? {told}".strip()


def test_what_is_put_together_otherwise_is_no_summary():
    assert kind_of("Wie hoch sind beide Mieten zusammen?") is None
    asked = as_asked("Wie hoch sind beide Mieten zusammen?", "de", whole=True)
    assert asked == "Wie hoch sind beide Mieten zusammen? Antworte auf Deutsch."
