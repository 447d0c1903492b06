"""The program's parts behind their breakers."""

import time
from contextlib import aclosing
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import ShelfLibrary

from rig.queue_model import REMOTE, QueueModel
from xnai import errors
from xnai.answering.events import Degraded, Done, Prompted, Question, Reduced, Retrieved, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading.asking import BEGINNINGS
from xnai.breakers import config
from xnai.errors import XnaiError
from xnai.llm.fallback import FallbackModel
from xnai.llm.guarded import GuardedModel
from xnai.llm.protocol import Completion, Finished, Queued, TokenText
from xnai.resilience.breaker import Breaker
from xnai.resilience.states import State
from xnai.retrieval.guarded import GuardedEmbedder, GuardedSearch
from xnai.retrieval.protocol import SearchQuery, TokenVectors
from xnai.retrieval.search import HybridSearch
from xnai.settings import Settings
from xnai.types import Passage, Sampling, Scope, Sentence, Usage

CRASH = XnaiError(errors.MODEL_CRASHED, reason="killed")
AWAY = XnaiError(errors.REMOTE_UNREACHABLE, endpoint="a:1", reason="nothing listens there")
WORDS = [
    Queued(1),
    TokenText("Source: [1] The Eiffel Tower\nAnswer: In 1889."),
    Finished("stop", Usage(9, 3)),
]
TOWER = Passage("d1", "paris.pdf", 3, 0, 44, "The Eiffel Tower was completed in March 1889.", 0.9)


def breaker(tmp_path, name="model", **settings) -> Breaker:
    return Breaker(name, config(Settings(_env_file=None, data_dir=tmp_path, **settings)))


def completion() -> Completion:
    return Completion("r", "u", (), Sampling(), time.monotonic() + 60)


def question(**more) -> Question:
    return Question("When was it completed?", "r1", "u1", **{"scope": Scope("t:1"), **more})


async def read(model) -> list:
    async with aclosing(model.complete(completion())) as events:
        return [event async for event in events]


async def fails(model, times: int) -> list[str]:
    codes = []
    for _ in range(times):
        with pytest.raises(XnaiError) as caught:
            await read(model)
        codes.append(caught.value.code)
    return codes


async def answer(library, model, asked=None) -> list:
    return [event async for event in Pipeline(library, model).answer(asked or question())]


async def test_a_model_that_fails_again_and_again_is_not_asked_any_more(tmp_path):
    below = QueueModel([CRASH])
    model = GuardedModel(below, breaker(tmp_path, breaker_failures=3))

    codes = await fails(model, 5)

    assert ["model_crashed"] * 3 + ["model_paused"] * 2 == codes
    assert len(below.asked) == 3
    with pytest.raises(XnaiError, match="3 calls in a row failed") as caught:
        await model.ensure_ready(time.monotonic() + 5)
    assert 3 < caught.value.retry_after <= 5


@pytest.mark.parametrize(
    "error",
    [
        XnaiError(errors.QUEUE_FULL, waiting=64),
        XnaiError(errors.QUESTION_TOO_LONG, tokens=9, limit=5),
        XnaiError(errors.ANSWER_TIMEOUT, seconds=1),
        XnaiError(errors.GRAMMAR_INVALID, form="schema", reason="x"),
        XnaiError(errors.MODEL_PREPARING, detail="x"),
        XnaiError(errors.SHUTTING_DOWN),
    ],
    ids=lambda error: error.code,
)
async def test_what_is_not_the_models_fault_opens_nothing(tmp_path, error):
    it = breaker(tmp_path, breaker_failures=1)
    model = GuardedModel(QueueModel([error]), it)

    assert [error.code] * 4 == await fails(model, 4)
    assert it.state is State.CLOSED
    assert it.counts.ignored == 4


async def test_a_model_that_cannot_be_loaded_opens_it_and_a_loaded_one_proves_nothing(tmp_path):
    it = breaker(tmp_path, breaker_failures=2)
    below = QueueModel([CRASH])
    model = GuardedModel(below, it)
    await fails(model, 1)
    await model.ensure_ready(0)
    below.not_ready = XnaiError(errors.MODEL_DOWN, reason="it crashed")
    with pytest.raises(XnaiError, match="it crashed"):
        await model.ensure_ready(0)

    assert it.state is State.OPEN
    assert it.reason == (
        "2 calls in a row failed, the last: The language model is not running: it crashed"
    )


async def test_a_reader_who_stops_is_neither_failure_nor_success(tmp_path):
    it = breaker(tmp_path, breaker_failures=1)
    async with aclosing(GuardedModel(QueueModel(list(WORDS)), it).complete(completion())) as events:
        await anext(events)

    assert it.counts.cancelled == 1
    assert it.totals() == (0, 0, 0)


async def test_while_the_models_breaker_is_open_passages_are_cited_with_the_next_attempt(tmp_path):
    it = breaker(tmp_path, breaker_failures=1)
    model = GuardedModel(QueueModel([CRASH]), it)
    await fails(model, 1)

    events = await answer(ShelfLibrary([TOWER]), model)

    assert [Retrieved, Degraded, Token, Done] == [type(event) for event in events]
    assert events[1].reason.code == "model_paused"
    assert 3 < events[1].retry_in <= 5
    assert "completed in March 1889. [1]" in events[2].text


async def test_when_it_closes_answers_are_whole_again(tmp_path):
    it = breaker(tmp_path, breaker_failures=1)
    below = QueueModel([CRASH])
    model = GuardedModel(below, it)
    await fails(model, 1)
    await it.set_state(State.CLOSED, "reset by hand", clear=True)
    below.script = list(WORDS)

    events = await answer(ShelfLibrary([TOWER]), model)

    assert not [event for event in events if isinstance(event, Degraded)]
    assert "In 1889." in "".join(event.text for event in events if isinstance(event, Token))


class Parts:
    """An embedder and an index, of which each call can be made to fail."""

    dimensions = 2

    def __init__(self) -> None:
        self.embedder_fails = self.index_fails = None

    async def embed_question(self, text):
        if self.embedder_fails:
            raise self.embedder_fails
        vector = np.ones((1, 2), dtype=np.float32)
        return SearchQuery(vector[0], TokenVectors(vector, np.zeros(1, np.int32)))

    async def embed_tokens(self, texts):
        raise self.embedder_fails or AssertionError("not in this test")

    async def search_vectors(self, vector, scope, limit):
        return await self.search_text("", scope, limit)

    async def search_text(self, query, scope, limit):
        if self.index_fails:
            raise self.index_fails
        return [(1, 1.0)]

    async def passages(self, hits):
        return [TOWER]

    async def token_codes(self, chunk_ids, dimensions):
        return {}


def search(tmp_path, parts: Parts) -> SimpleNamespace:
    embedder = breaker(tmp_path, "embedder", breaker_failures=2)
    index = breaker(tmp_path, "index", breaker_failures=2)
    hybrid = HybridSearch(GuardedSearch(parts, index), GuardedEmbedder(parts, embedder))
    pages = ShelfLibrary([TOWER]).pages
    return SimpleNamespace(find=hybrid.find, pages=pages, embedder=embedder, index=index)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("what a user typed"), XnaiError(errors.EMBEDDING_MODEL_MISSING, reason="x")],
)
async def test_without_the_embedder_words_alone_are_searched_and_that_is_said(tmp_path, error):
    parts = Parts()
    parts.embedder_fails = error
    library = search(tmp_path, parts)

    events = await answer(library, QueueModel(list(WORDS)))
    assert [(Reduced, "text_only")] == [
        (type(event), event.rung) for event in events if isinstance(event, Reduced)
    ]
    await answer(library, QueueModel(list(WORDS)))
    assert library.embedder.state is State.OPEN
    assert "typed" not in library.embedder.reason
    paused = await library.find("tower", Scope("t"), 3)
    assert paused.passages == [TOWER]
    assert paused.text_only.code == "search_paused"


async def test_without_the_index_there_is_a_plain_chat_with_a_warning(tmp_path):
    parts = Parts()
    parts.index_fails = XnaiError(errors.INDEX_DAMAGED, path="index.sqlite3", reason="malformed")
    library = search(tmp_path, parts)
    parts.embedder_fails = RuntimeError()

    events = await answer(library, QueueModel(list(WORDS)))

    assert isinstance(events[0], Reduced)
    assert (events[0].rung, events[0].reason.code) == ("no_documents", "index_damaged")
    assert isinstance(events[-1], Done)
    assert events[-1].citations == ()


async def test_an_error_of_the_asker_is_not_hidden_by_a_plain_chat():
    library = ShelfLibrary(away=XnaiError(errors.NOT_FOUND, what="document", name="x"))

    with pytest.raises(XnaiError, match="no document"):
        await answer(library, QueueModel(list(WORDS)))


async def test_while_no_endpoint_can_answer_the_local_engine_does_and_that_is_said():
    model = FallbackModel(QueueModel(not_ready=AWAY), QueueModel(list(WORDS)))

    events = await answer(ShelfLibrary([TOWER]), model)

    assert [("local_model", AWAY)] == [
        (event.rung, event.reason) for event in events if isinstance(event, Reduced)
    ]
    assert "In 1889." in "".join(event.text for event in events if isinstance(event, Token))


async def test_an_endpoint_that_fails_before_its_first_text_is_stood_in_for():
    model = FallbackModel(QueueModel([Queued(1), AWAY]), QueueModel(list(WORDS)))

    events = await answer(ShelfLibrary([TOWER]), model)

    assert [Reduced] == [type(event) for event in events if isinstance(event, Reduced)]
    assert isinstance(events[-1], Done)


async def test_the_stand_in_answers_in_the_way_that_it_is_able_to():
    local = QueueModel(list(WORDS))
    local.parameters = 135_000_000
    evidence = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.9),))
    model = FallbackModel(QueueModel([Queued(1), AWAY]), local)

    events = await answer(ShelfLibrary([evidence]), model)

    assert [Prompted] == [type(event) for event in events if isinstance(event, Prompted)]
    assert (events[-1].outcome, local.asked) == ("quoted", [])
    assert [TOWER.text[:44]] == [citation.quote for citation in events[-1].citations]


async def test_if_neither_can_answer_the_endpoints_reason_counts():
    local = QueueModel(not_ready=XnaiError(errors.MODEL_PREPARING, detail="x"))
    model = FallbackModel(QueueModel(not_ready=AWAY), local)

    events = await answer(ShelfLibrary([TOWER]), model)

    assert [AWAY] == [event.reason for event in events if isinstance(event, Degraded)]


async def test_a_local_engine_that_stands_in_answers_with_its_log_probabilities():
    local = QueueModel(list(WORDS))
    evidence = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.9),))
    model = FallbackModel(QueueModel(not_ready=AWAY, capabilities=REMOTE), local)

    await answer(ShelfLibrary([evidence]), model)

    assert [BEGINNINGS] == [asked.sampling.logprobs for asked in local.asked]


async def test_endpoints_are_not_asked_for_log_probabilities():
    remote = QueueModel(list(WORDS), capabilities=REMOTE)
    evidence = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.9),))

    await answer(ShelfLibrary([evidence]), FallbackModel(remote, QueueModel()))

    assert [None] == [asked.sampling.logprobs for asked in remote.asked]


async def test_questions_at_once_each_keep_the_model_that_they_were_given():
    local = QueueModel(list(WORDS))
    first = QueueModel(list(WORDS))
    model = FallbackModel(first, local)
    chosen = await model.ensure_ready(time.monotonic() + 5)
    first.not_ready = AWAY

    stood_in_for = await model.ensure_ready(time.monotonic() + 5)

    assert (chosen.reason, stood_in_for.reason) == (None, AWAY)
    assert stood_in_for.model is local
    await read(chosen.model)
    assert (len(first.asked), len(local.asked)) == (1, 0)
