"""Figures of an answer that the program puts right, and what no table has."""

import pytest

from xnai.answering.reading.exact import as_known
from xnai.answering.reading.lines import Sheet, make_sheet
from xnai.answering.reading.named import names_no_row
from xnai.answering.reading.ranges import outside_alone
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
    assert as_known(said, question, sheet(TRAINS).lines, ())[0] == right


def test_what_was_worked_out_of_a_result_is_left():
    (result,) = sheet("Calculated: Price 5.90, Wholesale 4.35").lines
    said = "The difference is 5.90 - 4.35 = 1.55."
    assert as_known(said, "What is the difference?", (), [result], frozenset(["1.55"]))[0] == said
    assert as_known("It is 7.", "What is the difference?", (), [result])[0] == result.text


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


RENT = "3.1 The monthly rent is 1,185 euros without service charge."
SERVICE = "3.2 The monthly advance on the service charge is 140 euros. It covers water."


@pytest.mark.parametrize(
    ("lines", "question", "said", "told"),
    [
        ((RENT, SERVICE), "Rent and service charge together?", "They are together.", "1,325 euros"),
        ((RENT, SERVICE), "Was kostet beides zusammen?", "140 euros.", "1,325 euros"),
        (("Rent: £85.50", "Parking: £40.00"), "What are both in total?", "£40.00.", "£85.50 + 40"),
        ((RENT, SERVICE), "Rent and service charge?", "1,185 euros.", "1,185 euros."),
        ((RENT, "Fee: 140 pounds"), "What is it in total?", "Both are due.", "Both are due."),
        ((RENT, "Fee: 1 euro, then 2 euros"), "In total?", "Both are due.", "Both are due."),
        ((RENT,), "What is it in total?", "It is due.", "It is due."),
        ((RENT, SERVICE, "3.3 Both are due on the fifth."), "What is it in total?", "It.", "1,325"),
        ((RENT, SERVICE), "Which line has the highest total?", "Rent.", "Rent."),
        ((SERVICE, RENT), "How much more expensive is the rent?", "More.", "1,185 - 140 = 1,045"),
        ((SERVICE, RENT), "What is the difference?", "By 9 euros.", "= 1,045 euros."),
        ((SERVICE, RENT, "Fee: 3 euros"), "What is the difference?", "Both.", "Both."),
    ],
)
def test_amounts_that_are_asked_for_together_are_added(
    lines: tuple[str, ...], question: str, said: str, told: str
):
    body, computed = as_known(said, question, sheet(*lines).lines, ())
    assert told in body
    assert bool(computed) is ("=" in body)


def test_a_difference_that_a_model_tells_is_proven():
    said = "It is cheaper by 1,045 euros."
    lines = sheet(RENT, SERVICE).lines
    assert as_known(said, "How much cheaper is it?", lines, ()) == (said, frozenset(["1,045"]))


REPORT = sheet(
    "Test: Haemoglobin; Result: 12.9; Unit: g/dL; Reference: 13.5 - 17.5; Flag: L.",
    "Test: CRP; Result: 3,2; Unit: mg/L; Reference: < 5,0.",
    "Test: Cholesterol; Result: 226; Unit: mg/dL; Reference: < 200; Flag: H.",
    "Test: HDL; Result: 58; Unit: mg/dL; Reference: > 40.",
    "Comment: the patient was fasting.",
)


@pytest.mark.parametrize(
    ("question", "outside"),
    [
        ("Which values are outside the normal range?", ["Haemoglobin", "Cholesterol"]),
        ("Welche Werte sind auffällig?", ["Haemoglobin", "Cholesterol"]),
        ("which values are too high", ["Cholesterol"]),
        ("Quelles valeurs sont trop basses ?", ["Haemoglobin"]),
    ],
)
def test_the_rows_outside_of_their_ranges_are_told(question: str, outside: list[str]):
    found = outside_alone(REPORT, question)
    assert found is not None
    assert [line.text.split("; ")[0] for line in found.lines] == [f"Test: {o}" for o in outside]


@pytest.mark.parametrize(
    ("report", "question"),
    [
        (REPORT, "Which values were measured?"),
        (REPORT, "Is the CRP too high?"),  # of one row
        (sheet(*(line.text for line in REPORT.lines[:2])), "What is out of range?"),
        (sheet(*[REPORT.lines[1].text] * 4), "What is out of range?"),
        (sheet("A: 1; B: 2.", "A: 3; B: 4.", "A: 5; B: 6."), "What is out of range?"),
    ],
)
def test_no_rows_are_told_where_none_is_outside_or_one_is_named(report: Sheet, question: str):
    assert outside_alone(report, question) is None


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("1.085 € im Monat.", "1.085 £ im Monat."),
        ("£1,085 a month.", "£1,085 a month."),
        ("1.085 im Monat.", "1.085 im Monat."),
    ],
)
def test_money_keeps_the_sign_of_its_line(said: str, right: str):
    lines = sheet("3.1 The Rent is £1,085.00 per calendar month.").lines
    assert as_known(said, "wie hoch ist die miete", lines, ())[0] == right


def test_where_a_line_has_no_sign_or_two_nothing_is_exchanged():
    for line in ("The rent is 1,085.00 euros.", "The rent is £900 or €1,085."):
        assert as_known("$1,085.", "the rent?", sheet(line).lines, ())[0] == "$1,085."
