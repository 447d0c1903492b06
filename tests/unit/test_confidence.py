from dataclasses import replace

import pytest

from xnai.confidence import EVIDENCE, SPAN, Signs, outcome, probability, signs_of, with_model
from xnai.types import Passage, Sentence, TokenLogprob

TEXT = "Ada built the tower of Norwick in 1954. It is white."
FOUND = Passage(
    "d", "a.txt", None, 10, 10 + len(TEXT), TEXT, 0.7, 1, (0, 39),
    (Sentence(0, 39, 0.8), Sentence(40, 52, 0.5)),
)  # fmt: skip
BEST = replace(FOUND, text=TEXT[:39], end=49, evidence=None, ranked=())
SURE = Signs(score=0.95, margin=0.3, said=-0.1, began=-0.1, belief=0.9)


def signs(question: str, **more) -> Signs:
    return signs_of(question, BEST, [FOUND], **{"alone": True, **more})


def test_the_signs_are_those_of_the_sentence_beside_the_others():
    found = signs("Who built the tower of Norwick?")

    assert found.score == 0.8
    assert found.margin == pytest.approx(0.3)
    assert (found.missing_names, found.missing_figures) == (0, 0)


def test_names_and_figures_that_the_passage_lacks_are_noticed():
    found = signs("Did Ada and Bo build Norwick in 1955?")

    assert found.missing_names == pytest.approx(1 / 3)
    assert found.missing_figures == 1
    assert probability(EVIDENCE, found) < probability(EVIDENCE, signs("Did Ada build it?"))


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("What was not built in Norwick?", 1),
        ("Who couldn't build the tower?", 1),
        ("Who couldn\u2019t build the tower?", 1),
        ("Who never built a tower?", 1),
        ("And in which year was it not built?", 1),
        ("What should I do if Ada does not build it?", 0),
        ("What must keepers who have not built it do?", 0),
        ("Why is it not built?", 0),
        ("Was it built or not?", 0),
        ("What not only stands but shines?", 0),
        ("Who lives at No. 10 in Norwick?", 0),
        ("Quem nasceu no Norwick?", 0),
        ("Who built the tower of Norwick?", 0),
        ("What is noted of Norwick?", 0),
    ],
)
def test_a_sentence_without_the_negation_of_the_question_says_something_else(question, negated):
    found = signs(question)

    assert found.negated == negated
    if negated:
        assert outcome(found, short=True, alone=True) == "hedge"


@pytest.mark.parametrize(
    "text", ["Ada never built the tower of Norwick.", "Ada refused to build the tower."]
)
def test_a_negation_that_the_sentence_has_too_is_no_doubt(text):
    passage = replace(FOUND, text=text, end=10 + len(text), ranked=(Sentence(0, len(text), 0.8),))
    best = replace(passage, ranked=(), evidence=None)

    assert signs_of("Who never built the tower?", best, [passage], alone=True).negated == 0


def test_the_score_of_a_question_searched_with_another_one_is_not_counted():
    assert signs("And when?", alone=False).score == Signs().score


def test_a_follow_up_is_in_doubt_where_hardly_anything_matches():
    far = replace(FOUND, ranked=(Sentence(0, 39, 0.12),))
    found = signs_of("And who is the president there?", BEST, [far], alone=False)

    assert outcome(found, short=True, alone=False) == "hedge"
    assert outcome(signs("And when?", alone=False), short=True, alone=False) != "hedge"


@pytest.mark.parametrize(
    "question",
    [
        "Who Built The Tower Of Oz?",
        "WHO BUILT THE TOWER?",
        "\u8c01 \u5efa\u9020 \u4e86\u5854\uff1f",
    ],
)
def test_where_every_word_has_a_capital_or_no_script_has_any_no_name_is_missing(question):
    assert signs(question).missing_names == 0


def test_a_sentence_that_was_not_ranked_has_middling_signs():
    bare = replace(FOUND, ranked=())

    assert signs_of("When?", BEST, [bare], alone=True) == Signs()


def test_the_models_own_doubt_counts_if_it_is_known():
    tokens = [TokenLogprob("a", b"a", -3.0), TokenLogprob("b", b"b", -5.0)]

    assert with_model(Signs(), tokens, 0.5) == Signs(said=-2.0, began=-3.0, belief=0.5)
    assert with_model(Signs(), [], 0.5) == Signs(belief=0.5)


def test_the_less_sure_it_is_the_less_is_claimed():
    assert outcome(SURE, short=True, alone=True) == "span"
    assert outcome(SURE, short=False, alone=True) == "sentence"
    assert outcome(replace(SURE, belief=0.0, score=0.7), short=True, alone=True) == "sentence"
    doubtful = Signs(score=0.55)
    assert outcome(doubtful, short=True, alone=True) == "hedge"
    assert outcome(doubtful, short=True, alone=False) == "sentence"


def test_every_weight_is_that_of_a_sign():
    for weights in (EVIDENCE, SPAN):
        assert 0 < probability(weights, Signs()) < 1
