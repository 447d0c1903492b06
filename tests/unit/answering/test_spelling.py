"""Misspelt words of a question, and words that only look like it."""

import pytest

from xnai.answering.reading.spelling import neighbours, put_right

LINES = [
    "The general meeting counts when 20 voting members are present.",
    "The discharge letter names the price of one room.",
]


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("dischrage", "discharge"),  # two letters have changed places
        ("genral", "general"),  # one is missing
        ("voteing", "voting"),  # one is too many
        ("meetimg", "meeting"),  # one is wrong
        ("MEMBRES", "members"),
    ],
)
def test_a_word_one_slip_from_one_of_the_documents_has_it_as_its_neighbour(word, right):
    assert neighbours(f"what about {word}?", LINES) == {word.casefold(): right}


@pytest.mark.parametrize(
    "word",
    ["discharge", "rooms", "dsicharge letters", "rice", "mebmrse", "20", "eneral", "about", ""],
)
def test_what_is_right_short_or_more_than_a_slip_away_has_none(word):
    found = neighbours(f"what about {word}?", LINES)
    assert not {*found} & {"rooms", "rice", "mebmrse", "eneral", "discharge", "about"}


def test_a_word_with_two_neighbours_is_left():
    assert neighbours("the planns", ["all plans and planes", "planns"]) == {}
    assert neighbours("who plamts", ["he plants", "she plagts"]) == {}


def test_words_are_put_right_with_their_capital():
    words = {"genral": "general", "lettr": "letter"}
    assert put_right("Genral lettr, lettrs", words) == "General letter, lettrs"


def test_long_questions_and_many_words_take_linear_time():
    words = {
        f"word{chr(97 + a)}{chr(97 + b)}{chr(97 + c)}"
        for a in range(26)
        for b in range(26)
        for c in range(9)
    }
    assert neighbours("x" * 100_000 + " ".join(sorted(words)), [" ".join(words)]) == {}
