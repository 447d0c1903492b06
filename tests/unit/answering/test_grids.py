"""Timetables: what stands in the same column of other rows, and in several columns."""

import pytest

from xnai.answering.reading.grids import grid_alone
from xnai.answering.reading.lines import make_sheet
from xnai.locale import texts_in
from xnai.types import PageText

FERRY = """Monday to Friday

North Quay; 06:10; S: 07:02; 09:15; 17:05.
Mill Bank; 06:18; S: 07:11; 09:23; 17:14.
Otter Isle; 06:33; ~; 09:38; 17:33.
South Pier; 06:52; S: 07:51; 09:57; 17:56.

S = runs on schooldays only."""
SHIFTS = """Hour: 8 - 10; Monday: Cutting (H2); Tuesday: Packing (H1); Friday: Cutting (H2).
Hour: 10 - 12; Monday: Gluing (H3); Tuesday: Cutting (H4); Friday: Packing (H1).
Hour: 13 - 15; Monday: Packing (H1); Tuesday: Gluing (H3); Friday: Sweeping (H1)."""
ROSTER = """Hall: Hall 1; Day: Monday; Early: Holm; Late: Lark.
Hall: Hall 1; Day: Tuesday; Early: Moss; Late: Holm.
Hall: Hall 2; Day: Monday; Early: Lark; Late: Vale."""
ACCOUNT = """Date: 1 May; Details: Card Grove; Out: 12.00; Balance: 90.00.
Date: 2 May; Details: Card Grove; Out: 46.28; Balance: 43.72.
Date: 3 May; Details: Card Velo; Out: 31.90; Balance: 11.82."""


def added(text: str, question: str, language: str = "en") -> list:
    sheet = make_sheet([PageText("d1", "table.pdf", 1, 1, text)])
    alone = grid_alone(sheet, question, texts_in(language))
    return [line for line in alone.lines if line.stands_on] if alone else []


def test_a_time_in_a_row_that_is_named_brings_its_column():
    (line,) = added(FERRY, "I board at Mill Bank at 9.23, when am I at South Pier?")
    assert "North Quay 09:15; Mill Bank 09:23; Otter Isle 09:38; South Pier 09:57" in line.text
    assert "minutes" not in line.text
    assert len(line.stands_on) == 4


def test_how_long_a_column_takes_is_told_where_it_is_asked():
    (line,) = added(FERRY, "How long does the 9:15 take?")
    assert line.text.endswith("from the first to the last 42 minutes")


def test_a_column_with_a_gap_has_no_duration():
    (line,) = added(FERRY, "How long does the 7:11 from Mill Bank take?")
    assert line.text.endswith("Otter Isle ~; South Pier S: 07:51")


def test_a_name_that_stands_in_several_columns_is_counted_with_its_places():
    (line,) = added(SHIFTS, "How many shifts of cutting are there?")
    expected = "Cutting, 3 in all: Monday 8 - 10 (H2); Tuesday 10 - 12 (H4); Friday 8 - 10 (H2)"
    assert line.text == expected
    assert [place.start for place in line.stands_on] == [0, SHIFTS.index("Hour: 10")]


def test_a_row_is_told_by_all_that_is_no_name():
    (line,) = added(ROSTER, "How many shifts does Holm have?")
    assert line.text == "Holm, 2 in all: Early Hall 1 Monday; Late Hall 1 Tuesday"


def test_what_is_shown_is_in_the_language_of_the_question():
    (line,) = added(SHIFTS, "Wie oft ist Cutting?", "de")
    assert line.shown.startswith("Cutting, insgesamt 3:")
    assert line.text.startswith("Cutting, 3 in all:")


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (FERRY, "When does the first ferry leave Mill Bank?"),
        (FERRY, "Which ferry arrives at 23:15?"),
        (SHIFTS, "Who works on Monday?"),
        (ROSTER, "Who is early on Tuesday in hall 1?"),
        (ACCOUNT, "How much was paid by card at Grove?"),
        ("A line; with; some; parts.\nAnother; at 9:15; of; them.", "What is at 9:15?"),
    ],
)
def test_nothing_is_added_where_no_cell_is_named_or_there_is_no_grid(text, question):
    assert added(text, question) == []
