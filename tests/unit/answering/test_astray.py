"""Quoted lines that have nothing to do with the question, and those that are nearer."""

from collections.abc import Sequence

import numpy as np
import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Done, Question, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading import astray
from xnai.answering.reading.lines import make_sheet
from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.retrieval.protocol import SearchQuery, Vectors
from xnai.retrieval.text_ranker import MOST_TEXTS, TextRanker
from xnai.types import PageText, Passage, Scope

RULES = (
    "House rules",
    "1 Keys are returned on the last day.",
    "2 The stairs are cleaned in turn.",
    "3 The cellar is locked at ten.",
    "4 One cat may be kept, a dog with consent.",
    "5 Music may be played until nine.",
    "6 Bicycles stand in the yard.",
    "7 Smoking is allowed on the balcony.",
    "8 Parcels are left with the caretaker.",
)
TEXT = "\n\n".join(RULES)
SHEET = make_sheet([PageText("d", "rules.pdf", 1, None, TEXT)])
PETS = {"Which rule is about pets?", "Is a hamster a problem?", RULES[4]}


class MeaningEmbedder:
    """Knows what is about animals; all other texts are alike to it."""

    def __init__(self, failure: XnaiError | None = None) -> None:
        self.failure = failure
        self.embedded: list[str] = []

    async def embed_question(self, text: str) -> SearchQuery:
        if self.failure is not None:
            raise self.failure
        return SearchQuery(self._vector(text), np.zeros((1, 2), np.float32))

    async def embed_lines(self, texts: Sequence[str]) -> Vectors:
        if self.failure is not None:
            raise self.failure
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vectors:
        return np.array([1.0, 0.0] if text in PETS else [0.2, 0.98], np.float32)


async def answer(model: ReplyModel, asked: str, embedder: MeaningEmbedder):
    library = ShelfLibrary([Passage("d", "rules.pdf", None, 0, len(TEXT), TEXT, 1.0)])
    pipeline = Pipeline(library, model, ranker=TextRanker(embedder))
    question = Question(asked, "u", "r", scope=Scope("o"))
    events = [event async for event in pipeline.answer(question)]
    (done,) = [event for event in events if isinstance(event, Done)]
    return "".join(one.text for one in events if isinstance(one, Token)), done


async def test_a_line_far_from_the_question_is_not_answered_from():
    model = ReplyModel(
        replies=[
            "Source: [6] 5 Music may be played until nine.\nAnswer: No pets are allowed.",
            "Source: [1] 4 One cat may be kept, a dog with consent.\nAnswer: Rule 4.",
        ]
    )

    text, done = await answer(model, "Which rule is about pets?", MeaningEmbedder())

    assert text == "Rule 4. [1]"
    assert done.citations[0].quote == RULES[4]
    again = model.asked[1].messages[-1].content
    assert RULES[4] in again
    assert RULES[5] not in again


async def test_a_line_that_shares_a_word_is_believed_and_nothing_is_embedded():
    embedder = MeaningEmbedder()
    model = ReplyModel(replies=["Source: [7] 6 Bicycles stand in the yard.\nAnswer: In the yard."])

    text, _ = await answer(model, "What of my bicycle?", embedder)

    assert text == "In the yard. [1]"
    assert embedder.embedded == []


async def test_without_the_embedder_the_models_line_stands():
    model = ReplyModel(
        replies=["Source: [6] 5 Music may be played until nine.\nAnswer: Until nine."]
    )

    text, _ = await answer(
        model, "How long can I sing?", MeaningEmbedder(XnaiError(SEARCH_DOWN, reason="gone"))
    )

    assert text == "Until nine. [1]"


def test_rows_that_are_all_alike_decide_nothing():
    cosines = [0.42] * len(RULES)
    assert astray.nearer(cosines, SHEET.lines[5:6], SHEET) is None
    assert astray.nearer([], SHEET.lines[5:6], SHEET) is None


def test_a_heading_decides_with_what_stands_under_it():
    cosines = [0.5, *[0.1] * (len(RULES) - 1)]
    assert [line.text for line in astray.deciding(cosines, SHEET)] == [RULES[1]]
    assert astray.deciding([0.3] * len(RULES), SHEET) == ()


@pytest.mark.parametrize(
    ("asked", "quoted", "is_suspect"),
    [
        ("May I smoke here?", RULES[7], False),
        ("May I smoke here?", RULES[8], True),
        ("Which rule is about smoking?", RULES[7], True),
    ],
)
def test_a_quoted_line_is_suspect_that_shares_no_word(asked, quoted, is_suspect):
    lines = [line for line in SHEET.lines if line.text == quoted]
    assert astray.is_suspect(asked, lines, SHEET) is is_suspect


async def test_lines_are_embedded_once():
    embedder = MeaningEmbedder()
    ranker = TextRanker(embedder)

    first = await ranker.cosines("Is a hamster a problem?", RULES)
    again = await ranker.cosines("Is a hamster a problem?", [*RULES, "more"])

    assert first == again[: len(RULES)]
    assert max(first) == first[4] == pytest.approx(1.0)
    assert embedder.embedded == [*RULES, "more"]


async def test_of_too_many_lines_none_is_compared():
    embedder = MeaningEmbedder()
    assert await TextRanker(embedder).cosines("?", ["a"] * (MOST_TEXTS + 1)) == []
    assert embedder.embedded == []
