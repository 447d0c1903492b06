import pytest

from xnai.llm.worker.drafting import COUNTS, Drafting
from xnai.llm.worker.prompt_lookup import Lookup

ROWS = 16


def guessed(tokens: list[int], count: int = 1) -> list[int]:
    lookup = Lookup(tokens)
    lookup.look()
    return lookup.guess(count)


def test_what_followed_the_longest_match_is_guessed():
    assert guessed([5, 1, 2, 9, 7, 2, 8, 5, 1, 2]) == [9]


def test_of_equal_matches_the_newest_counts():
    assert guessed([1, 2, 7, 0, 1, 2, 8, 3, 1, 2]) == [8]


def test_without_a_match_the_last_token_is_guessed_again():
    assert guessed([1, 2, 3], 2) == [3, 3]


def test_several_follow_in_their_order():
    assert guessed([1, 2, 3, 4, 5, 6, 7, 1, 2], 4) == [3, 4, 5, 6]


def test_what_goes_on_beyond_the_end_repeats():
    assert guessed([9, 1, 2, 3, 1, 2, 3], 7) == [1, 2, 3, 1, 2, 3, 1]


def test_what_was_appended_is_found():
    tokens = [1, 2]
    lookup = Lookup(tokens)
    lookup.look()
    tokens += [3, 1, 2]
    assert lookup.look() == 2
    assert lookup.guess(1) == [3]


@pytest.mark.parametrize(("agreeing", "told"), [(0, 0), (1, 1), (2, 2), (4, 3), (7, 5), (12, 8)])
def test_how_many_tokens_agree_is_told_in_steps(agreeing, told):
    tokens = [100, *range(agreeing), 200, 300, *range(agreeing)]
    assert Lookup(tokens).look() == (told if agreeing else 0)


def test_each_way_is_tried_once_where_guesses_are_likely():
    drafting = Drafting(ROWS)
    tried = []
    for _ in range(5):
        tried.append(drafting.guesses([8]))
        drafting.measured(1, tried[-1], 0.1)
    assert tuple(tried) == COUNTS


def test_where_guesses_are_unlikely_none_is_tried():
    drafting = Drafting(ROWS)
    drafting.measured(1, 0, 0.1)
    assert drafting.guesses([0]) == 0
    assert drafting.guesses([8]) == 1


def measured(answers: int, times: dict[int, float]) -> Drafting:
    drafting = Drafting(ROWS)
    for guesses, seconds in times.items():
        drafting.measured(answers, guesses, seconds)
    return drafting


@pytest.mark.parametrize(
    ("matched", "drafts"), [([0], 0), ([2], 3), ([3], 3), ([8], 11)], ids=["0", "2", "3", "8"]
)
def test_as_many_are_guessed_as_promise_most_tokens_a_second(matched, drafts):
    drafting = measured(1, {0: 0.092, 1: 0.125, 3: 0.130, 7: 0.159, 11: 0.180})
    for _ in range(200):
        drafting.learn(8, 11, 11)
        drafting.learn(3, 3, 0)
        drafting.learn(3, 1, 1)
        drafting.learn(2, 1, 1)
        drafting.learn(2, 1, 0)
    assert drafting.guesses(matched) == drafts


def test_a_step_has_no_more_tokens_than_there_is_room_for():
    drafting = measured(4, dict.fromkeys(COUNTS, 0.1))
    assert drafting.guesses([8] * 4) == 3


def test_wrong_guesses_are_learnt_from():
    drafting = measured(1, {0: 0.02, 1: 0.03, 3: 0.04, 7: 0.05, 11: 0.06})
    assert drafting.guesses([8]) > 1
    for _ in range(200):
        drafting.learn(8, 7, 0)
    assert drafting.guesses([8]) == 0


def test_a_way_that_was_slow_once_is_tried_again():
    drafting = measured(4, {0: 0.020, 1: 0.060, 3: 0.5})
    for _ in range(2500):
        if drafting.guesses([8] * 4):
            return
        drafting.measured(4, 0, 0.020)
    raise AssertionError("it was given up for ever")


def test_nothing_is_guessed_where_it_is_switched_off():
    drafting = Drafting(ROWS, enabled=False)
    drafting.measured(1, 0, 0.1)
    assert drafting.guesses([8]) == 0
