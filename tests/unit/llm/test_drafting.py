import pytest

from xnai.llm.worker.drafting import Drafting
from xnai.llm.worker.prompt_lookup import Lookup
from xnai.llm.worker.scheduler import Sequence


def test_what_followed_the_longest_match_is_guessed():
    assert 9 == Lookup([5, 1, 2, 9, 7, 2, 8, 5, 1, 2]).guess()


def test_of_equal_matches_the_newest_counts():
    assert 8 == Lookup([1, 2, 7, 0, 1, 2, 8, 3, 1, 2]).guess()


def test_without_a_match_the_last_token_is_guessed_again():
    assert 3 == Lookup([1, 2, 3]).guess()


def test_what_was_appended_is_found():
    tokens = [1, 2]
    lookup = Lookup(tokens)
    lookup.guess()
    tokens += [3, 1, 2]
    assert 3 == lookup.guess()


def test_the_hit_rate_follows_the_guesses():
    lookup = Lookup([4])
    for _ in range(30):
        lookup.learn(lookup.guess())
    assert lookup.hit_rate > 0.95
    for _ in range(30):
        assert not lookup.learn(lookup.guess() + 1)
    assert lookup.hit_rate < 0.05


def answers(count, hit_rate):
    sequences = [Sequence(number, [1]) for number in range(count)]
    for sequence in sequences:
        sequence.lookup.hit_rate = hit_rate
    return sequences


def test_each_way_is_tried_once():
    drafting, sequences = Drafting(), answers(4, 0.0)
    tried = []
    for _ in range(2):
        tried.append(drafting.should_draft(sequences))
        drafting.measured(4, 0.02, drafted=tried[-1])
    assert [False, True] == tried


@pytest.mark.parametrize(("hit_rate", "drafts"), [(0.1, False), (0.5, True)])
def test_drafts_are_read_if_they_save_more_than_they_cost(hit_rate, drafts):
    drafting = Drafting()
    drafting.measured(4, 0.020, drafted=False)
    drafting.measured(4, 0.025, drafted=True)
    assert drafts is drafting.should_draft(answers(4, hit_rate))


def test_a_way_that_was_slow_once_is_tried_again():
    drafting = Drafting()
    drafting.measured(4, 0.020, drafted=False)
    drafting.measured(4, 0.060, drafted=True)
    for _ in range(1500):
        if drafting.should_draft(answers(4, 0.5)):
            return
        drafting.measured(4, 0.020, drafted=False)
    raise AssertionError("it was given up for ever")
