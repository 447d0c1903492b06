"""Days that a text names, in the notations that people use."""

import pytest

from xnai.text.days import Day, days_in


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
