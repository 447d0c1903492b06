import pytest

from xnai.text.sentences import in_context, sentences


def split(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "William E. Simon was the first.",
        "Dr. Smith met Mrs. Jones in St. Ives.",
        "It came from the U.S. Navy in 1954.",
        "Some metals, e.g. zinc, are mined.",
        "See Fig. 3 and vol. 2 of it.",
        "Hartmanis et al. showed it.",
    ],
)
def test_the_stop_of_an_abbreviation_ends_no_sentence(text):
    assert split(text) == [text]


def test_the_stop_of_a_short_word_or_a_number_ends_one():
    assert split("He saw it. It was 5. Then it was red. I did so.") == [
        "He saw it.",
        "It was 5.",
        "Then it was red.",
        "I did so.",
    ]


def test_a_paragraph_ends_even_after_an_abbreviation():
    assert split("Acme Inc.\n\nThe next one.") == ["Acme Inc.", "The next one."]


def test_a_text_that_is_a_stop_alone_is_one_sentence():
    assert split(". x") == [".", "x"]


def test_a_sentence_that_points_back_has_the_one_before_it():
    text = "The tower is old. Its lamp is new. Bread is baked. They eat it."

    assert [text[a:b] for a, b in in_context(text)] == [
        "The tower is old.",
        "The tower is old. Its lamp is new.",
        "Bread is baked.",
        "Bread is baked. They eat it.",
    ]


def test_a_first_sentence_and_one_after_a_long_one_stay_alone():
    text = f"It is old. {'A very long sentence ' * 30}. Its lamp is new."

    assert [text[a:b] for a, b in in_context(text)][::2] == ["It is old.", "Its lamp is new."]


def test_a_rule_between_two_parts_belongs_to_neither():
    text = "TOTAL $821.14\n==============\nRETURN POLICY\n--------------\nReturns within 30 days"

    assert split(text) == ["TOTAL $821.14", "RETURN POLICY", "Returns within 30 days"]
