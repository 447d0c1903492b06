"""Days of the week in several languages."""

import pytest

from xnai.text.weekdays import weekdays_in


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Who works on Wednesday?", {2}),
        ("De lundi à VENDREDI", {0, 4}),
        ("Am Sonnabend und Sonntag", {5, 6}),
        ("星期三谁上班", {2}),
        ("水曜日は誰ですか", {2}),
        ("Кто работает в среду?", {2}),
        ("من يعمل يوم الأربعاء", {2}),
        ("Mondays are off; a sundial", set()),
    ],
)
def test_the_days_that_a_text_names(text, days):
    assert weekdays_in(text) == days
