import pytest

from xnai import grounding
from xnai.grounding import CopyCiter, fit_to_strength
from xnai.types import Passage, Sampling, Sentence

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
    (only,) = fit_to_strength(135_000_000, [EVIDENCE, OTHER])

    assert only.text == "It was built in 1954."
    assert (only.page, only.end - only.start) == (2, len(only.text))
    assert TEXT[only.start - 100 : only.end - 100] == only.text


@pytest.mark.parametrize("parameters", [0, 8_000_000_000])
def test_a_large_or_unknown_model_gets_whole_passages(parameters):
    assert fit_to_strength(parameters, [EVIDENCE, OTHER]) == [EVIDENCE, OTHER]


def test_passages_without_evidence_stay_whole():
    assert fit_to_strength(1, [passage("alpha")]) == [passage("alpha")]
    assert fit_to_strength(1, []) == []


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


def cited(answer: str) -> tuple[str, CopyCiter]:
    (best,) = fit_to_strength(135_000_000, [EVIDENCE])
    citer = CopyCiter("When was the tower built?", [EVIDENCE], best)
    held = "".join(citer.feed(character) for character in answer)
    assert held == ""
    return citer.finish(), citer


@pytest.mark.parametrize("answer", ["1954", "It was built in 1954", "built in 1954."])
def test_of_an_answer_that_was_copied_what_is_new_is_shown_and_cited(answer):
    text, citer = cited(answer)

    assert text == "1954 [1]"
    assert [c.quote for c in citer.citations] == ["It was built in 1954."]


@pytest.mark.parametrize(
    "answer",
    ["built in 1955", "John Smith built the new one", "", "the tower was built", "1954 " * 30],
)
def test_an_answer_that_was_not_copied_gives_way_to_the_evidence(answer):
    text, citer = cited(answer)

    assert text == "No exact answer found. Closest: \u201c… 1954\u201d [1]"
    (citation,) = citer.citations
    assert TEXT[citation.start - 100 : citation.end - 100] == "It was built in 1954."


def test_a_text_that_says_nothing_new_stays_whole():
    text = "The lamp was replaced."

    assert grounding.news(text, "Was the lamp replaced?") == (0, len(text))
    assert grounding.news("", "Was it?") == (0, 0)


def test_what_is_new_in_the_middle_keeps_what_stands_between():
    text = "Built by Ada in the tower and Bo, it was built."

    start, end = grounding.news(text, "Who built the tower?")

    assert text[start:end] == "Ada in the tower and Bo"


def test_a_copy_is_short_greedy_and_ends_with_its_line():
    sampling = grounding.copying(Sampling(temperature=1.0, repeat_penalty=1.3, stop=("END",)))

    assert (sampling.temperature, sampling.repeat_penalty) == (0.0, 1.0)
    assert sampling.max_tokens <= 64
    assert sampling.stop == ("END", "\n")
