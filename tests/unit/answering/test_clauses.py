"""Values of a kind on one line, of which the model takes the first."""

import pytest

from xnai.answering.reading.clauses import of_named_clause
from xnai.answering.reading.lines import make_sheet
from xnai.types import PageText

GUARANTEE = "The guarantee is 2 years from the date of purchase; on the compressor it is 5 years."
ENTRY = "Adults pay 12 €, children under fourteen 8 €."
RENT = "The rent is 900 €, of which 80 € are for heating."


def answered(body: str, question: str, line: str) -> str:
    sheet = make_sheet([PageText("d", "a.pdf", 1, None, line)])
    return of_named_clause(body, question, sheet.lines)


@pytest.mark.parametrize(
    ("said", "question", "line", "right"),
    [
        ("2 years.", "how long is the guarantee on the compressor", GUARANTEE, "5 years."),
        ("12 €", "What do children pay?", ENTRY, "8 €"),
        (
            "It is two days.",
            "notice in the trial?",
            "Notice is two days, in the trial one day.",
            "It is one day.",
        ),
    ],
)
def test_the_value_of_the_clause_that_is_asked_about_is_told(said, question, line, right):
    assert answered(said, question, line) == right


@pytest.mark.parametrize(
    ("said", "question", "line"),
    [
        ("2 years.", "how long is the guarantee", GUARANTEE),
        ("5 years.", "how long is the guarantee on the compressor", GUARANTEE),
        ("2 €", "What do children pay?", ENTRY),  # which the line has not
        ("8 €", "What do adults pay?", ENTRY),  # what begins the line goes on in all of it
        ("900 €", "What is the rent with heating?", RENT),
        ("30 €", "What is the fee now?", "In 2024 the fee was 30 €, in 2025 it is 35 €."),
        (
            "14 days",
            "When is the fee of members due?",
            "The fee is 30 €, for members 20 €, in 14 days.",
        ),
        ("A long answer that has 2 years somewhere in the middle", "compressor?", GUARANTEE),
    ],
)
def test_all_else_stays(said, question, line):
    assert answered(said, question, line) == said
