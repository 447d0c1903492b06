from dataclasses import replace

import pytest

from xnai import grounding
from xnai.grounding import CopyCiter, fit_to_strength, is_copied
from xnai.types import Passage, Sampling, Sentence, TokenLogprob

FAR = "The sea is wide. " * 20
TEXT = FAR + "The tower is old. It was built in 1954. " + FAR
START = TEXT.index("It was")
EVIDENCE = Passage(
    "d", "a.pdf", 2, 100, 100 + len(TEXT), TEXT, 0.9, 1, evidence=(START, START + 21)
)
OTHER = Passage("d", "a.pdf", 3, 0, 9, "Elsewhere.", 0.4, 2, evidence=(0, 10))


def passage(text: str, *scores: float, score: float = 0.5) -> Passage:
    """A passage whose sentences, each of ten characters, match as well as said."""
    ranked = tuple(Sentence(10 * i, 10 * i + 10, s) for i, s in enumerate(scores))
    return Passage("d", "a.pdf", 2, 0, len(text), text, score, ranked=ranked)


def test_a_small_model_gets_the_sentence_that_answers_best():
    (only,) = fit_to_strength(135_000_000, [EVIDENCE, OTHER], "How old is it?")

    assert only.text == "It was built in 1954."
    assert (only.page, only.end - only.start) == (2, len(only.text))
    assert TEXT[only.start - 100 : only.end - 100] == only.text


@pytest.mark.parametrize("parameters", [0, 8_000_000_000])
def test_a_large_or_unknown_model_gets_whole_passages(parameters):
    assert fit_to_strength(parameters, [EVIDENCE, OTHER], "") == [EVIDENCE, OTHER]


def test_passages_without_evidence_stay_whole():
    assert fit_to_strength(1, [passage("alpha")], "") == [passage("alpha")]
    assert fit_to_strength(1, [], "") == []


def test_a_sentence_counts_with_its_passage():
    first = passage("aaaaaaaaa.bbbbbbbbb.", 0.6, 0.5, score=0.6)
    second = passage("ccccccccc.", 0.65, score=0.5)

    found = grounding.evidence([first, second])

    assert [c.quote for c in found] == ["aaaaaaaaa.", "ccccccccc.", "bbbbbbbbb."]
    assert [c.index for c in found] == [1, 2, 1]
    assert len(grounding.evidence([first, second], 1)) == 1


def test_passages_that_were_not_compared_by_sentences_have_no_evidence():
    assert grounding.evidence([passage("alpha")]) == ()
    assert grounding.is_found([passage("alpha")], 1)


@pytest.mark.parametrize("parameters", [135_000_000, 8_000_000_000])
def test_what_matches_nothing_is_put_to_no_model_and_what_matches_well_to_any(parameters):
    assert not grounding.is_found([passage("aaaaaaaaa.", 0.05)], parameters)
    assert grounding.is_found([passage("aaaaaaaaa.", 0.95)], parameters)


def test_the_weaker_the_model_the_surer_the_search_must_be():
    between = (grounding.LEAST_FOR_LARGE + grounding.LEAST_FOR_SMALL) / 2
    found = [passage("aaaaaaaaa.", between)]

    assert grounding.is_found(found, 8_000_000_000)
    assert not grounding.is_found(found, 135_000_000)


def test_when_is_not_answered_by_a_sentence_without_a_date():
    text = "The lamp was replaced by Ada. The new lamp dates from 1987."
    spans = (Sentence(0, 29, 0.8), Sentence(30, len(text), 0.75))
    found = Passage("d", "a.pdf", 2, 0, len(text), text, 0.8, 1, evidence=(0, 29), ranked=spans)
    far = replace(found, ranked=(spans[0], replace(spans[1], score=0.5)))

    def chosen(passage: Passage, question: str) -> str:
        return fit_to_strength(1, [passage], question)[0].text

    assert chosen(found, "When was the lamp replaced?") == "The new lamp dates from 1987."
    assert chosen(found, "Why was the lamp replaced?") == "The lamp was replaced by Ada."
    assert chosen(far, "When was the lamp replaced?") == "The lamp was replaced by Ada."


def test_a_heading_that_says_no_more_than_the_question_has_the_text_under_it():
    text = "RETURN POLICY\nReturns within 30 days. Bread is baked."
    found = Passage(
        "d", "a.pdf", 1, 0, len(text), text, 0.8, 1, (0, 13), (Sentence(0, 13, 0.8),)
    )  # fmt: skip

    def chosen(question: str) -> str:
        return fit_to_strength(1, [found], question)[0].text

    assert chosen("What is the return policy?") == text
    assert chosen("What is known?") == "RETURN POLICY"


def cited(
    said: str, question: str = "When was the tower built?", score: float = 0.9, sure: float = -0.2
) -> tuple[str, CopyCiter]:
    sentence = Sentence(START, START + 21, score)
    found = replace(EVIDENCE, ranked=(sentence,))
    (best,) = fit_to_strength(135_000_000, [OTHER, found][1:], question)
    citer = CopyCiter(question, [OTHER, found], best, alone=True)
    held = "".join(citer.feed(character) for character in said)
    citer.note([TokenLogprob(said, said.encode(), sure)])
    assert held == ""
    return citer.finish(), citer


@pytest.mark.parametrize(
    "said", ["1954", "The tower was built in 1954.", "It was 1954 1954 1954", "in 1987", ""]
)
def test_whatever_a_small_model_says_what_is_shown_stands_in_the_evidence_and_is_cited(said):
    text, citer = cited(said)

    assert text == "1954 [2]"
    assert [(c.index, c.quote) for c in citer.citations] == [(2, "It was built in 1954.")]


def test_where_no_span_would_do_the_sentence_is_the_answer():
    text, _ = cited("1954", "Why was the tower built?")

    assert text == "It was built in 1954. [2]"


def test_what_matches_little_is_said_to_be_no_exact_answer():
    text, citer = cited("1954", score=0.5, sure=-1.5)

    assert text == "No exact answer found. Closest: \u201cIt was built in 1954.\u201d [2]"
    (citation,) = citer.citations
    assert TEXT[citation.start - 100 : citation.end - 100] == "It was built in 1954."


def test_a_follow_up_is_not_doubted_for_matching_little():
    sentence = Sentence(START, START + 21, 0.4)
    found = replace(EVIDENCE, ranked=(sentence,))
    (best,) = fit_to_strength(1, [found], "And when was it?")
    citer = CopyCiter("And when was it?", [found], best, alone=False)

    citer.feed("1954")

    assert citer.finish() == "1954 [1]"


@pytest.mark.parametrize(
    ("answer", "copied"),
    [
        ("1954", True),
        ("It was built in 1954", True),
        ("built in 1955", False),
        ("John Smith built the new one", False),
        ("", False),
        ("the tower was built", False),
        ("1954 " * 30, False),
    ],
)
def test_a_text_is_copied_if_its_words_and_figures_stand_there_and_say_something_new(
    answer, copied
):
    assert is_copied(answer, "It was built in 1954.", "When was the tower built?") is copied


def test_a_copy_is_short_greedy_and_ends_with_its_line():
    sampling = grounding.copying(Sampling(temperature=1.0, repeat_penalty=1.3, stop=("END",)))

    assert (sampling.temperature, sampling.repeat_penalty) == (0.0, 1.0)
    assert sampling.max_tokens <= 64
    assert sampling.stop == ("END", "\n")
    assert sampling.logprobs == grounding.BEGINNINGS
    assert grounding.copying(Sampling(), logprobs=False).logprobs is None
    assert grounding.copying(Sampling(logprobs=3)).logprobs == 3
