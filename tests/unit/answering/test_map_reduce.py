"""Questions about whole documents, with a model that answers by what it reads."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from fakes import ShelfLibrary

from rig.queue_model import QueueModel
from xnai.answering.events import Degraded, Done, Parts, Prompted, Question, Retrieved, Token
from xnai.answering.map_reduce import PARALLEL
from xnai.answering.pipeline import Pipeline
from xnai.answering.query import kind_of
from xnai.errors import (
    ANSWER_TIMEOUT,
    DOCUMENTS_TOO_LONG,
    MODEL_CRASHED,
    MODEL_DOWN,
    MODEL_PAUSED,
    QUEUE_FULL,
    XnaiError,
)
from xnai.llm.protocol import Finished, TokenText
from xnai.retrieval.search import Found
from xnai.types import PageTexts, Passage, Sampling, Scope, Usage

PADDING = " And the sea was wide and grey on that day as on most others." * 20


def page(number: int, text: str) -> Passage:
    return Passage("d1", "log.pdf", number, 0, len(text), text, 0.0, number)


LOG = [
    page(1, f"The tower was built in 1954.{PADDING}"),
    page(2, f"Nothing of note happened.{PADDING}"),
    page(3, f"The lamp was replaced in October 1987.{PADDING}"),
    page(4, f"In 1954 the tower was built, as was said.{PADDING}"),
]
SAYS = {
    "built in 1954": "1. built in 1954",
    "Nothing": "none",
    "October": "October 1987\nMay 2020",
    "In 1954": "- built in 1954",
}


@dataclass
class ReadingModel(QueueModel):
    """Says for each part what ``SAYS`` has for it; one page is a part, and all do not fit."""

    context_tokens: int = 1000
    says: dict[str, str] = field(default_factory=lambda: SAYS)
    begun: int = 0

    async def complete(self, completion):
        self.asked.append(completion)
        self.begun += 1
        try:
            text = completion.messages[-1].content
            yield TokenText(next(said for words, said in self.says.items() if words in text))
            yield Finished("stop", Usage(10, 2))
        finally:
            self.closed += 1


class RankedLibrary(ShelfLibrary):
    """A library whose search finds the last page best."""

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        self.queries.append(question)
        return Found(self.shelf[::-1][:limit])


def question(text: str = "List all events.", **more) -> Question:
    return Question(text, "r1", "u1", **{"scope": Scope("thread:1"), **more})


async def collect(model, passages, asked):
    pipeline = Pipeline(ShelfLibrary(passages), model)
    return [event async for event in pipeline.answer(asked)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Summarise this document.", "summary"),
        ("Please summarize the report in a few words", "summary"),
        ("/summary", "summary"),
        ("tl;dr", "summary"),
        ("Can you give me an overview of the report?", "summary"),
        ("What are the key points of this?", "summary"),
        ("Give me a short summary of it", "summary"),
        ("Summarise each chapter", "summary"),
        ("/summary of the pump chapter", "summary"),
        ("List all dates in the text", "list"),
        ("/list names", "list"),
        ("Could you please give me a list of all dates?", "list"),
        ("Show me every name.", "list"),
        ("List the names of all people", "list"),
        ("Extract every sum of money.", "list"),
        ("When was the lamp replaced?", None),
        ("What does the summary say about bread?", None),
        ("Which list did she sign?", None),
        ("In which year did they find all the bodies?", None),
        ("Does the report give the cost of all repairs?", None),
        ("Did the auditor find that each valve leaked?", None),
        ("What are all the employees paid on?", None),
        ("Find the cost of all repairs", None),
        ("Can you give me an overview of the pump chapter only?", None),
        ("Summarise section 3.", None),
        ("Who wrote the summary of the report?", None),
        ("Does it sum up the costs?", None),
        ("Is it true of all of them that they bake?", None),
    ],
)
def test_what_is_asked_of_a_whole_document_is_told_by_command_or_words(text, kind):
    assert kind_of(text) == kind


async def test_a_list_is_read_part_by_part_without_repetitions_and_cites_each_page():
    model = ReadingModel()

    events = await collect(model, LOG, question())

    assert [(e.done, e.total) for e in events if isinstance(e, Parts)] == [
        (1, 4), (2, 4), (3, 4), (4, 4),
    ]  # fmt: skip
    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "- built in 1954 [1]\n- October 1987 [2]\n"
    done = events[-1]
    assert [(c.index, c.page) for c in done.citations] == [(1, 1), (2, 3)]
    told = [c for e in events if isinstance(e, Token) for c in e.citations]
    assert tuple(told) == done.citations
    assert [c.quote for c in done.citations][1] == "The lamp was replaced in October 1987."
    assert done.usage == Usage(40, 8)
    assert done.supported


async def test_what_stands_in_no_part_is_left_out_and_an_empty_list_says_so():
    model = ReadingModel(says=dict.fromkeys(SAYS, "May 2020"))

    events = await collect(model, LOG, question())

    assert [e.text for e in events if isinstance(e, Token)] == [
        "The documents hold nothing of the kind.\n"
    ]
    assert events[-1].citations == ()
    assert (events[-1].supported, events[-1].found) == (False, False)


async def test_a_model_with_a_larger_context_reads_several_passages_as_one_part():
    model = ReadingModel(context_tokens=2100)

    events = await collect(model, LOG, question())

    assert 1 < len(model.asked) < 4
    assert events[-1].route == "list"
    assert events[-1].citations[0].page == 1


@pytest.mark.parametrize("asked", ["Summarise this.", "List all events."])
async def test_documents_that_fit_are_given_whole(asked):
    reply = "Source: [1] The tower was built in 1954.\nAnswer: The tower was built in 1954."
    model = QueueModel([TokenText(reply), Finished("stop", Usage(9, 5))])

    events = await collect(model, LOG, question(asked))

    (completion,) = model.asked
    assert all(p.text[:20] in completion.messages[-1].content for p in LOG)
    assert any(isinstance(e, Prompted) for e in events)
    assert [c.page for c in events[-1].citations] == [1]
    assert (events[-1].outcome, events[-1].read_share) == ("answered", 1.0)


@pytest.mark.parametrize("asked", ["List all events.", "Summarise the log."])
async def test_a_model_that_is_too_small_to_list_shows_the_best_passages_not_the_first(asked):
    model = QueueModel(parameters=135_000_000)
    library = RankedLibrary(LOG)

    events = [e async for e in Pipeline(library, model).answer(question(asked))]

    assert (events[-1].outcome, model.asked) == ("quoted", [])
    assert events[-1].citations[0].page == LOG[-1].page
    assert set(library.queries) == {asked}


async def test_closing_the_answer_closes_every_part_that_was_begun():
    model = ReadingModel()

    async with aclosing(Pipeline(ShelfLibrary(LOG), model).answer(question())) as events:
        async for event in events:
            if isinstance(event, Parts):
                break

    assert model.begun == model.closed


async def test_of_the_passages_no_more_are_told_than_were_asked_for():
    events = await collect(ReadingModel(), LOG, question(passages=2))

    assert [len(e.passages) for e in events if isinstance(e, Retrieved)] == [2]


async def test_an_answer_bound_to_a_form_is_not_put_together_from_parts():
    model = QueueModel([TokenText("{}"), Finished("stop", Usage())])
    asked = question(sampling=Sampling(json_schema="{}"))

    events = await collect(model, LOG[:1], asked)

    assert isinstance(events[-1], Done)
    assert not any(isinstance(e, Parts) for e in events)


async def test_what_has_a_fixed_form_is_found_without_asking_the_model():
    model = ReadingModel()

    events = await collect(model, LOG, question("List all dates."))

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "- 1954 [1]\n- October 1987 [2]\n"
    assert model.asked == []
    assert [c.page for c in events[-1].citations] == [1, 3]


class EndlessLibrary(ShelfLibrary):
    """A library of more than is ever read whole."""

    async def everything(self, scope: Scope) -> list[Passage]:
        raise XnaiError(DOCUMENTS_TOO_LONG, count=5000, unit="passages", limit=400)

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        return PageTexts(10**9, None)


async def test_what_is_too_long_to_be_read_whole_is_searched():
    library = EndlessLibrary(LOG)
    reply = "Source: [1] The tower was built in 1954.\nAnswer: The tower was built in 1954."
    model = QueueModel([TokenText(reply), Finished("stop", Usage())])

    events = [e async for e in Pipeline(library, model).answer(question("List all events."))]

    assert set(library.queries) == {"List all events."}
    assert not any(isinstance(e, Parts) for e in events)
    assert [c.page for c in events[-1].citations] == [1]


@pytest.mark.parametrize(
    ("command", "count"), [("/list events", "5,000 passages"), ("/summary", "characters")]
)
async def test_a_command_over_documents_that_are_too_long_is_an_error_that_says_so(command, count):
    pipeline = Pipeline(EndlessLibrary(LOG), ReadingModel(context_tokens=8000))

    with pytest.raises(XnaiError, match=count):
        _ = [e async for e in pipeline.answer(question(command))]


@dataclass
class CrowdedModel(ReadingModel):
    """Takes a moment for each part, fails for some, and keeps count of what it reads at once."""

    context_tokens: int = 600
    failing: int = 0  # the request that fails, the first is 1
    failure: XnaiError | None = None
    most: int = 0

    async def complete(self, completion):
        number = len(self.asked) + 1
        async with aclosing(super().complete(completion)) as events:
            async for event in events:
                self.most = max(self.most, self.begun - self.closed)
                await asyncio.sleep(0.01 if number != self.failing else 0)
                if number == self.failing and self.failure:
                    raise self.failure
                yield event


ALIKE = {"": "The tower was built in 1954."}


async def test_parts_are_never_more_than_allowed_at_once():
    parts = [page(n, f"The tower was built in 1954.{PADDING}") for n in range(1, 31)]
    model = CrowdedModel(says=ALIKE)

    await collect(model, parts, question())

    assert len(model.asked) == len(parts)
    assert model.most == PARALLEL


async def test_a_part_that_fails_ends_the_others_first():
    parts = [page(n, f"The tower was built in 1954.{PADDING}") for n in range(1, 31)]
    refused = XnaiError(QUEUE_FULL, waiting=64)
    model = CrowdedModel(says=ALIKE, failing=12, failure=refused)

    with pytest.raises(XnaiError, match="64 questions already wait"):
        await collect(model, parts, question())

    assert model.begun == model.closed


async def test_lines_are_told_when_their_part_was_read():
    out_of_time = XnaiError(ANSWER_TIMEOUT, seconds=5)
    model = CrowdedModel(
        says={**SAYS, "": "The tower was built in 1954."}, failing=3, failure=out_of_time
    )
    shown = []

    with pytest.raises(XnaiError, match="not finished"):
        async for event in Pipeline(ShelfLibrary(LOG), model).answer(question()):
            shown.append(event)  # noqa: PERF401 - what came before the error is the point

    kinds = [type(event) for event in shown]
    assert kinds[:3] == [Retrieved, Parts, Token]
    assert "1954" in shown[2].text


@dataclass
class HealingModel(CrowdedModel):
    """Half open at first: while its first answer is under way it takes no other; then it crashes.

    After the crash one more answer is refused, as by the breaker that opened.
    """

    refused: int = 0

    async def complete(self, completion):
        number = len(self.asked) + 1
        if (self.begun == 1 and self.closed == 0) or number == self.failing + 1:
            self.asked.append(completion)
            self.refused += 1
            raise XnaiError(MODEL_PAUSED, retry_after=0.05, reason="half open")
        async with aclosing(super().complete(completion)) as events:
            async for event in events:
                yield event


async def test_a_crash_and_a_pause_cost_a_part_a_moment_and_not_the_answer():
    crash = XnaiError(MODEL_CRASHED, retry_after=0.05, reason="killed")
    model = HealingModel(failing=4, failure=crash)

    events = await collect(model, LOG, question())

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "- built in 1954 [1]\n- October 1987 [2]\n"
    assert model.refused == 1


async def test_a_long_pause_is_not_waited_for():
    pause = XnaiError(MODEL_PAUSED, retry_after=60, reason="down")
    model = CrowdedModel(failing=2, failure=pause)

    with pytest.raises(XnaiError, match="not asked"):
        await collect(model, LOG, question())

    assert len(model.asked) <= len(LOG)


@pytest.mark.parametrize("asked", ["List all events.", "List all dates on which it rained."])
async def test_while_the_model_is_away_the_best_passages_are_quoted_not_the_first(asked):
    model = QueueModel(not_ready=XnaiError(MODEL_DOWN, reason="gone"))
    library = RankedLibrary(LOG)

    events = [e async for e in Pipeline(library, model).answer(question(asked))]

    assert any(isinstance(e, Degraded) for e in events)
    assert library.queries == [asked]
    last = [e for e in events if isinstance(e, Retrieved)][-1]
    assert last.passages[0].page == LOG[-1].page
    assert events[-1].citations[0].page == LOG[-1].page


@pytest.mark.parametrize("asked", ["/list all dates", "List all dates in the log."])
async def test_what_has_a_fixed_form_is_listed_while_the_model_is_away(asked):
    model = QueueModel(not_ready=XnaiError(MODEL_DOWN, reason="gone"), context_tokens=0)

    events = await collect(model, LOG, question(asked))

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "- 1954 [1]\n- October 1987 [2]\n"
    assert not any(isinstance(e, Degraded) for e in events)
