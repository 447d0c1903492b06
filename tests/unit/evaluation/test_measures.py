import math

import pytest

from xnai.evaluation.measures import (
    contains,
    exact,
    median,
    ndcg,
    normalized,
    recall,
    reciprocal_rank,
    token_f1,
    without_marks,
)


def test_articles_case_and_punctuation_do_not_count():
    assert normalized("The  Eiffel-Tower, (Paris)!") == "eiffel tower paris"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("It was in 1889.", True), ("It was in 18890.", False), ("", False)],
)
def test_an_answer_is_contained_as_whole_words(text, expected):
    assert contains(text, ("1889", "March 1889")) is expected


def test_an_answer_of_signs_alone_is_contained_nowhere():
    assert contains("anything", ("?",)) is False


def test_exact_match_is_to_any_of_the_answers():
    assert [exact("the Rollo.", ("Rollo", "Hrolf")), exact("Rollo of Norway", ("Rollo",))] == [1, 0]


def test_token_f1_is_that_of_the_nearest_answer():
    assert token_f1("in March 1889", ("1889", "March 1889")) == pytest.approx(0.8)


def test_without_known_answers_f1_is_zero():
    assert token_f1("something", ()) == 0


def test_marks_are_no_part_of_an_answer():
    assert without_marks("In 1889. [1] Yes [12].") == "In 1889. Yes."


def test_recall_is_the_share_of_what_is_relevant():
    assert recall(["a", "x", "b"], {"a": 1, "b": 1, "c": 0}, 2) == 0.5


def test_reciprocal_rank_is_that_of_the_first_relevant_one():
    assert reciprocal_rank(["x", "a"], {"a": 1}, 10) == 0.5
    assert reciprocal_rank(["x", "a"], {"a": 1}, 1) == 0


def test_ndcg_of_the_best_ranking_is_one_and_falls_with_the_logarithm_of_the_rank():
    gains = {"a": 2, "b": 1}
    assert ndcg(["a", "b"], gains, 10) == pytest.approx(1)
    assert ndcg(["x", "a"], {"a": 1}, 10) == pytest.approx(1 / math.log2(3))


def test_the_median_of_an_even_number_is_the_lower_one():
    assert [median([3, 1, 2, 4]), median([])] == [2, 0]
