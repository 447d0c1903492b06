"""Dates and stretches of time in texts."""

from datetime import date

import pytest

from xnai.text.dates import Day, dates_in, days_in
from xnai.text.stretches import stretches_in


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("begins on 1 April 2025 and runs for three years", "31 March 2028"),
        ("starts April 1st, 2025 for a period of 24 (twenty-four) months", "March 31, 2027"),
        ("Mietbeginn: 1. Mai 2024, Laufzeit 24 Monate", "30. April 2026"),
        ("ab 01.02.2024 für ein Jahr", "31.01.2025"),
        ("à compter du 1er avril 2025 pour 36 mois", "31 mars 2028"),
        ("del 1 de abril de 2025, dos años", "31 de marzo de 2027"),
        ("начало 1 апреля 2025 года, на два года", "31 марта 2027"),
        ("合同自2025年4月1日起期限三年。", "2028年3月31日"),
        ("2024-02-29, a one-year term", "2025-02-27"),
        ("from 1 January 2025, 2 weeks", "14 January 2025"),
        ("from 3 June 2024, ten days", "12 June 2024"),
        ("ab 01.02.24 für ein Jahr", "31.01.25"),
        ("from 25/12/2024 for one year", "24/12/2025"),
        ("effective 12/25/2024, one year", "12/24/2025"),
    ],
)
def test_the_last_day_is_written_as_the_first_one_is(text: str, last: str) -> None:
    (first,), (length,) = dates_in(text), stretches_in(text)
    day = length.last_day(first.day)
    assert day is not None
    assert first.like(day) == last


def test_a_month_that_is_shorter_ends_with_its_own_last_day() -> None:
    (length,) = stretches_in("one month")
    assert length.last_day(date(2025, 1, 31)) == date(2025, 2, 27)


@pytest.mark.parametrize(
    "text",
    [
        "on 03/04/2025",  # of which nobody knows the month
        "on 31 February 2025",
        "on 1 April",
        "invoice 2025-04-011",
        "version 1.2.2025.4",
        "200 years",  # no length of an agreement
        "0 days",
    ],
)
def test_what_is_no_date_and_no_length_is_left(text: str) -> None:
    assert dates_in(text) == []
    assert stretches_in(text) == []


def test_beyond_the_calendar_nothing_ends() -> None:
    (length,) = stretches_in("99 years")
    assert length.last_day(date(9950, 1, 1)) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("the mail of 3 March", {(3, 3, 0)}),
        ("March 3rd, 2025", {(3, 3, 2025)}),
        ("Date: Mon, 03 Mar 2025 09:30:00 +0000", {(3, 3, 2025)}),
        ("am 3. März 2025 um 9:30", {(3, 3, 2025)}),
        ("le 1er avril", {(1, 4, 0)}),
        ("3 de marzo de 2025", {(3, 3, 2025)}),
        ("2025-03-03T09:30", {(3, 3, 2025)}),
        ("03.03.25", {(3, 3, 2025)}),
        ("3/4/2025", {(3, 4, 2025), (4, 3, 2025)}),
        ("2025年3月3日", {(3, 3, 2025)}),
        ("in March 2025, at 9:30, version 1.2.3, 40 May", set()),
    ],
)
def test_days_are_found_in_any_notation(text, days):
    assert days_in(text) == {Day(*one) for one in days}


def test_a_day_without_a_year_may_be_of_any():
    assert Day(3, 3).may_be(Day(3, 3, 2025))
    assert not Day(3, 3, 2024).may_be(Day(3, 3, 2025))
