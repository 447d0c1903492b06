import asyncio
import json
import re
import time
from dataclasses import dataclass, field, replace

import pytest
from fakes import QueueModel, ShelfLibrary

from xnai import query_likelihood
from xnai.errors import MODEL_CRASHED, XnaiError
from xnai.events import Question, Token
from xnai.llm.gbnf import to_lark
from xnai.llm.protocol import Finished, Queued, TokenText
from xnai.pipeline import Pipeline
from xnai.query_likelihood import AHEAD, CLOSE, MOST, WEIGHT, QueryLikelihood, saying
from xnai.types import Message, Passage, Sampling, Scope, Sentence, TokenLogprob, Usage

ASKED = "When was the lamp replaced?"


def passage(text: str, score: float) -> Passage:
    whole = (0, len(text))
    return Passage(
        text, f"{text}.pdf", 1, 0, len(text), text, score, evidence=whole,
        ranked=(Sentence(*whole, score),),
    )  # fmt: skip


@dataclass
class SayingModel(QueueModel):
    """Says what it is made to say, as likely after each text as ``nats`` has it."""

    parameters: int = 135_000_000
    nats: dict[str, float] = field(default_factory=dict)
    waiting: int = 0
    error: Exception | None = None
    seconds: float = 0.0
    name: str = "sayer"
    queued: bool = False
    reason: str = "stop"
    good: int = 0  # so many requests go well before the error

    @property
    def status(self):
        return replace(super().status, waiting=self.waiting, name=self.name)

    async def complete(self, completion):
        self.asked.append(completion)
        try:
            await asyncio.sleep(self.seconds)
            if self.queued:
                yield Queued(1)
            if self.error and len(self.asked) > self.good:
                raise self.error
            text = completion.messages[-1].content.removeprefix("Text: ").split("\n")[0]
            half = TokenLogprob("?", b"?", self.nats.get(text, 0.0) / 2)
            yield TokenText("When", (half,))
            yield TokenText("?", (half,))
            yield Finished(self.reason, Usage())
        finally:
            self.closed += 1


@dataclass
class RemoteModel(SayingModel):
    """One that is made of several servers."""

    def endpoints(self):
        return []


def question(text: str = ASKED, **more) -> Question:
    return Question(text, "r1", "u1", **{"scope": Scope("thread:1"), **more})


async def order(model, passages, asked=None) -> list[str]:
    return await order_by(QueryLikelihood(model), passages, asked)


async def order_by(likelihood, passages, asked=None) -> list[str]:
    ranked = await likelihood.best_first(asked or question(), passages, time.monotonic() + 10)
    assert sorted(p.text for p in ranked) == sorted(p.text for p in passages)  # none is lost
    return [p.text for p in ranked]


NEAR = [passage("a", 0.80), passage("b", 0.79), passage("c", 0.78), passage("d", 0.5)]
FAVOURS_C = {"a": -40.0, "b": -41.0, "c": -30.0}


async def test_the_passage_after_which_the_question_is_likeliest_comes_first():
    model = SayingModel(nats=FAVOURS_C)

    assert await order(model, NEAR) == ["c", "a", "b", "d"]
    assert len(model.asked) == model.closed == 3  # of one far behind nothing is asked


async def test_the_searchs_first_stays_unless_the_model_makes_up_for_its_lead():
    needed = (0.02 + AHEAD) / WEIGHT
    assert (await order(SayingModel(nats={"c": needed - 0.1}), NEAR))[0] == "a"
    assert (await order(SayingModel(nats={"c": needed + 0.1}), NEAR))[0] == "c"


async def test_the_model_is_asked_for_the_question_itself():
    model = SayingModel()
    await order(model, NEAR, question('Who said "no"?'))

    sampling = model.asked[0].sampling
    assert sampling.grammar == saying('Who said "no"?')
    assert (sampling.temperature, sampling.repeat_penalty, sampling.logprobs) == (0.0, 1.0, 0)
    assert (model.asked[0].request_id, model.asked[0].user) == ("r1", "u1")


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (SayingModel(nats=FAVOURS_C, waiting=1), question()),
        (SayingModel(nats=FAVOURS_C, parameters=8_000_000_000), question()),
        (SayingModel(nats=FAVOURS_C, parameters=0), question()),
        (RemoteModel(nats=FAVOURS_C), question()),
        (SayingModel(nats=FAVOURS_C), question(sampling=Sampling(stop=(".",)))),
        (SayingModel(nats=FAVOURS_C), question(sampling=Sampling(seed=7))),
        (SayingModel(nats=FAVOURS_C), question(f"{'so ' * 100}when was it?")),
        (SayingModel(nats=FAVOURS_C), question(continues="The lamp")),
        (SayingModel(nats=FAVOURS_C), question("And when?", history=(Message("user", ASKED),))),
    ],
    ids=[
        "others wait",
        "large",
        "unknown size",
        "remote",
        "the model's own text",
        "seed",
        "long",
        "continued",
        "follow-up",
    ],
)
async def test_nothing_is_asked_where_it_is_of_no_use(model, asked):
    assert await order(model, NEAR, asked) == ["a", "b", "c", "d"]
    assert not model.asked


async def test_nothing_is_asked_where_a_cross_encoder_has_ordered_the_passages():
    model = SayingModel(nats=FAVOURS_C)
    assert await order_by(QueryLikelihood(model, enabled=False), NEAR) == ["a", "b", "c", "d"]
    assert not model.asked


async def test_nothing_is_asked_where_words_alone_were_compared():
    model = SayingModel(nats=FAVOURS_C)
    bare = [replace(one, evidence=None, ranked=()) for one in NEAR]
    assert await order(model, bare) == ["a", "b", "c", "d"]
    assert not model.asked


async def test_what_the_search_had_later_is_not_taken_unless_the_model_is_for_it():
    ahead = [passage("a", 0.70), passage("b", 0.75)]  # the search knows more than the score
    assert await order(SayingModel(nats={"a": -20.0, "b": -20.0}), ahead) == ["a", "b"]
    assert await order(SayingModel(nats={"a": -20.0, "b": -19.9}), ahead) == ["b", "a"]


async def test_nothing_is_asked_where_one_passage_is_clearly_ahead():
    model = SayingModel(nats={"b": 100.0})
    ahead = [passage("a", 0.8), passage("b", 0.8 - CLOSE - 0.001)]

    assert await order(model, ahead) == ["a", "b"]
    assert await order(model, ahead[:1]) == ["a"]
    assert await order(model, []) == []
    assert not model.asked


async def test_only_so_many_are_read():
    model = SayingModel()
    await order(model, [passage(f"p{i}", 0.8) for i in range(MOST + 3)])
    assert len(model.asked) == MOST


@pytest.mark.parametrize("good", [0, 1, 2])
async def test_the_order_stays_when_the_model_fails_and_it_rests(good):
    error = XnaiError(MODEL_CRASHED, reason="it was killed")
    model = SayingModel(nats=FAVOURS_C, error=error, good=good)
    likelihood = QueryLikelihood(model)

    assert await order_by(likelihood, NEAR) == ["a", "b", "c", "d"]
    assert len(model.asked) == model.closed == good + 1
    model.error = None
    assert await order_by(likelihood, NEAR) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("sign", [{"queued": True}, {"reason": "length"}])
async def test_the_order_stays_when_it_has_to_wait_or_is_not_through_with_the_question(sign):
    model = SayingModel(nats=FAVOURS_C, **sign)
    likelihood = QueryLikelihood(model)

    assert await order_by(likelihood, NEAR) == ["a", "b", "c", "d"]
    assert len(model.asked) == model.closed == 1
    model.queued, model.reason = False, "stop"
    assert (await order_by(likelihood, NEAR))[0] == "c"  # it was not the model's fault


async def test_a_question_with_little_time_keeps_most_of_it_and_the_model_does_not_rest():
    model = SayingModel(nats=FAVOURS_C, seconds=30.0)
    likelihood = QueryLikelihood(model)
    began = time.monotonic()

    ranked = await likelihood.best_first(question(), NEAR, began + 1)

    assert ranked == NEAR
    assert time.monotonic() - began < 0.75
    model.seconds = 0.0
    assert (await order_by(likelihood, NEAR))[0] == "c"


async def test_the_order_stays_when_the_model_takes_too_long(monkeypatch):
    monkeypatch.setattr(query_likelihood, "PATIENCE", 0.05)
    model = SayingModel(nats=FAVOURS_C, seconds=30.0)

    assert await order(model, NEAR) == ["a", "b", "c", "d"]
    assert model.closed == len(model.asked) == 1  # none is left behind


async def test_a_model_that_took_too_long_is_asked_again_after_a_rest(monkeypatch):
    monkeypatch.setattr(query_likelihood, "PATIENCE", 0.05)
    monkeypatch.setattr(query_likelihood, "REST", 0.1)
    model = SayingModel(nats=FAVOURS_C, seconds=30.0)
    likelihood = QueryLikelihood(model)
    await order_by(likelihood, NEAR)
    model.seconds = 0.0

    assert (await order_by(likelihood, NEAR))[0] == "a"
    assert len(model.asked) == 1
    await asyncio.sleep(0.15)
    assert (await order_by(likelihood, NEAR))[0] == "c"


async def test_another_model_does_not_rest(monkeypatch):
    monkeypatch.setattr(query_likelihood, "PATIENCE", 0.05)
    model = SayingModel(nats=FAVOURS_C, seconds=30.0)
    likelihood = QueryLikelihood(model)
    await order_by(likelihood, NEAR)
    model.seconds, model.name = 0.0, "faster"

    assert (await order_by(likelihood, NEAR))[0] == "c"


async def test_stopping_ends_what_was_asked():
    model = SayingModel(seconds=30.0)
    asking = asyncio.create_task(order(model, NEAR))
    await asyncio.sleep(0.1)
    assert len(model.asked) == 1
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert model.closed == len(model.asked) == 1


async def test_the_answer_is_copied_from_the_passage_that_the_question_is_about():
    near = [
        passage("The lamp of the pier was replaced in May 1950.", 0.80),
        passage("The lamp of the lighthouse was replaced in October 1987.", 0.79),
    ]
    model = SayingModel(nats={near[0].text: -30.0, near[1].text: -12.0})
    pipeline = Pipeline(ShelfLibrary(near), model)

    events = [event async for event in pipeline.answer(question("When was it replaced?"))]

    shown = "".join(event.text for event in events if isinstance(event, Token))
    assert "October 1987" in shown
    assert shown.endswith("[2]")  # numbers are those of the search


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Who said "no"?', 'Who said "no"?'),
        ("C:\\temp\\", "C:\\temp\\"),
        ("a\nb\x00\u2028c", "a b c"),
        ("Où? 東京", "Où? 東京"),
        ('"', '"'),
    ],
)
def test_any_question_makes_a_grammar_that_says_it(text, said):
    lark = to_lark(saying(text)).removeprefix("start: (").strip().removesuffix(")")
    parts = [json.loads(f'"{part}"') for part in re.findall(r'"((?:[^"\\]|\\.)*)"', lark)]
    assert "".join(parts) == said
