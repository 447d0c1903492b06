"""Figures of an answer that the program puts right, and what no table has."""

import pytest

from xnai.answering.reading.exact import as_known
from xnai.answering.reading.lines import make_sheet
from xnai.answering.reading.named import names_no_row
from xnai.answering.reading.second_look import words_for
from xnai.answering.reading.spelling import asking_words
from xnai.types import PageText

TRAINS = "Stop: Station; S1: 08:30; S2: 13:45; S3: 18:20."


def sheet(*lines: str):
    return make_sheet([PageText("d", "a.pdf", 1, None, "\n\n".join(lines))])


@pytest.mark.parametrize(
    ("question", "said", "right"),
    [
        ("When does the last bus leave the station?", "At 13:45.", "At 18:20."),
        ("À quelle heure part la dernière navette ?", "13:45.", "18:20."),
        ("When is the earliest bus?", "It leaves at 13:45.", "It leaves at 08:30."),
        ("When does the last bus leave?", "At 18:20.", "At 18:20."),
        ("When does S2 leave?", "At 13:45.", "At 13:45."),
        ("First or last bus?", "At 13:45.", "At 13:45."),
        ("When does the last bus leave?", "At 13:45 or 18:20.", "At 13:45 or 18:20."),
        ("When does the last bus leave?", "At 23:00.", "At 23:00."),
    ],
)
def test_the_last_of_a_row_is_told_where_it_is_asked_for(question: str, said: str, right: str):
    assert as_known(said, question, sheet(TRAINS).lines, ()) == right


def test_what_was_worked_out_of_a_result_is_left():
    (result,) = sheet("Calculated: Price 5.90, Wholesale 4.35").lines
    said = "The difference is 5.90 - 4.35 = 1.55."
    assert as_known(said, "What is the difference?", (), [result], {"1.55"}) == said
    assert as_known("It is 7.", "What is the difference?", (), [result]) == result.text


SLIPS = sheet(*(f"Slip for {month} 2024; Net pay: {at}00 EUR." for at, month in enumerate(
    ("July", "August", "September", "October"), 1
)))  # fmt: skip


@pytest.mark.parametrize(
    ("question", "is_missing"),
    [
        ("What was the net pay in June 2024?", True),
        ("What was the net pay in Aug?", False),
        ("Was the net pay higher in June?", False),
        ("What was the net pay?", False),
        ("When in the year was it highest?", False),
    ],
)
def test_a_month_that_no_slip_is_for_is_not_there(question: str, is_missing: bool):
    assert names_no_row(SLIPS, question) is is_missing


def test_months_here_and_there_are_no_table():
    lease = sheet("It begins in March.", "The rent is paid until 3 May.", "Heating from October.")
    assert not names_no_row(lease, "What is the rent for June?")


def test_words_that_ask_are_put_right():
    lines = ["the whip is kept here"]
    assert asking_words("by wen must it be repaired?", lines) == {"wen": "when"}
    assert asking_words("hwo much is the whip", lines) == {"hwo": "how"}
    assert asking_words("Wen soll ich fragen?", lines) == {}
    assert asking_words("were is the key?", lines) == {}


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("It shows 200 degrees, may I open it already?", ("Yes", "No")),
        ("My manager has not answered. Is it approved then?", ("Yes", "No")),
        ("What is the fee, is it 30?", None),
        ("List what is due. Is it much?", None),
    ],
)
def test_yes_or_no_may_be_asked_at_the_end(question: str, words: tuple[str, str] | None):
    assert words_for(question) == words
