import pytest

from xnai.answering.entity_patterns import pattern_of


@pytest.mark.parametrize(
    ("asked", "text", "found"),
    [
        (
            "List all dates.",
            "On 3 May 2021, May 4th, 1999, in October 1987, 2020-01-31, 1.2.2003 and 1954; p. 12.",
            ["3 May 2021", "May 4th, 1999", "October 1987", "2020-01-31", "1.2.2003", "1954"],
        ),
        (
            "Extract every sum of money",
            "It cost $1,250.00, then 3 million euros.",
            ["$1,250.00", "3 million euros"],
        ),
        ("Find all the e-mail addresses", "Write to a.b@c.example.org.", ["a.b@c.example.org"]),
        ("list all links", "See https://a.example/b?c=1 (new).", ["https://a.example/b?c=1"]),
    ],
)
def test_things_of_a_fixed_form_are_found(asked, text, found):
    assert pattern_of(asked).findall(text) == found


@pytest.mark.parametrize("asked", ["List all names.", "When was it?", "All of it costs a lot."])
def test_other_questions_have_no_form(asked):
    assert pattern_of(asked) is None


def test_a_long_text_of_digits_takes_no_time():
    for asked in ("List all dates", "list all amounts", "list all emails", "list all urls"):
        assert len(pattern_of(asked).findall("1" * 50_000 + "a." * 50_000)) <= 1
