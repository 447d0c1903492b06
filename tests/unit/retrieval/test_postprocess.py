"""Repetitions and neighbours among hits."""

from xnai.retrieval.postprocess import joined, without_repeats
from xnai.types import Passage, Sentence

PAGE = "The lamp was replaced in 1987.\n\nThe keepers bake bread on Tuesdays.\n\nThe sea is wide."
FIRST, SECOND, THIRD = (0, 30), (32, 67), (69, 85)


class PageIndex:
    def __init__(self, text=PAGE) -> None:
        self.text = text

    async def page_text(self, document_id, page):
        return self.text


def passage(span, score, *, document="d", page=1, **more):
    start, end = span
    return Passage(document, f"{document}.txt", page, start, end, PAGE[start:end], score, **more)


def text(words, document="d"):
    return Passage(document, "f", None, 0, len(words), words, 0.5)


def test_what_a_better_passage_says_is_not_shown_again():
    one = "In 1987 the lamp of the lighthouse was replaced by Ada Holm and her two sons."
    same = "In 1987, the lamp of the lighthouse was replaced by Ada Holm and her two sons!"
    other = "In 1990 the lamp of the lighthouse was sold to a museum in the capital."

    kept = without_repeats([text(one), text(same, "copy"), text(other)], 9)

    assert [p.text for p in kept] == [one, other]


def test_short_and_empty_passages_are_compared_too():
    kept = without_repeats([text("Yes"), text("yes."), text(""), text("")], 9)

    assert [p.text for p in kept] == ["Yes", "", ""]


async def test_neighbours_become_one_passage_at_the_place_of_the_better():
    ranked = (Sentence(0, 35, 0.9),)
    better = passage(SECOND, 0.9, evidence=(0, 35), ranked=ranked)

    first, second = await joined(
        PageIndex(), [better, passage(FIRST, 0.5, document="e"), passage(FIRST, 0.4)], 4
    )

    assert (first.start, first.end, first.text) == (0, 67, PAGE[:67])
    assert first.text[slice(*first.evidence)] == "The keepers bake bread on Tuesdays."
    assert (first.ranked[0].start, first.ranked[0].end) == first.evidence
    assert second.document_id == "e"


async def test_passages_far_apart_on_other_pages_or_of_changed_documents_stay_apart():
    apart = [passage(FIRST, 0.9), passage(THIRD, 0.8)]
    pages = [passage(FIRST, 0.9), passage(SECOND, 0.8, page=2)]
    changed = [passage(FIRST, 0.9), passage(SECOND, 0.8)]

    assert len(await joined(PageIndex(), apart, 4)) == 2
    assert len(await joined(PageIndex(), pages, 4)) == 2
    assert len(await joined(PageIndex("short"), changed, 4)) == 2


async def test_a_neighbour_below_the_limit_still_joins_and_nothing_else_does():
    hits = [passage(FIRST, 0.9), passage(THIRD, 0.8, document="e"), passage(SECOND, 0.1)]

    (only,) = await joined(PageIndex(), hits, 1)

    assert only.end == 67


def test_no_more_passages_are_kept_than_asked_for():
    assert len(without_repeats([text(f"passage number {n}") for n in range(5)], 3)) == 3
