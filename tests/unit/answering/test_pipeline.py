import gc
import sys
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest
from fakes import ShelfLibrary

from rig.queue_model import QueueModel
from xnai.answering.events import (
    Degraded,
    Done,
    Loading,
    Prompted,
    Question,
    Reading,
    Reduced,
    Retrieved,
    Token,
    Waiting,
)
from xnai.answering.evidence import NOT_FOUND
from xnai.answering.pipeline import Pipeline
from xnai.answering.quoting import LEAD
from xnai.answering.reading.asking import BEGINNINGS
from xnai.errors import MODEL_CRASHED, MODEL_PREPARING, QUEUE_FULL, REMOTE_BROKE_OFF, XnaiError
from xnai.llm.fallback import FallbackModel
from xnai.llm.protocol import Finished, Prefill, Queued, TokenText
from xnai.locale import texts_in
from xnai.types import Message, Passage, Sampling, Scope, Sentence, TokenLogprob, Usage

TOWER = Passage("d1", "paris.pdf", 3, 0, 44, "The Eiffel Tower was completed in March 1889.", 0.9)
ANSWER = [
    Queued(1, 2.0),
    Prefill(10, 20),
    TokenText("Source: [1] The Eiffel Tower was completed in March 1889.\nAnswer: The tower"),
    TokenText(" was completed in 1889."),
    Finished("stop", Usage(20, 6)),
]
BEGUN_TEXT = "Source: [1] The Eiffel Tower\nAnswer: The tower was completed in March 1889."
OWN = [
    TokenText("The tower was completed"),
    TokenText(" in 1889."),
    Finished("stop", Usage(20, 6)),
]


def question(text: str = "When was it completed?", **more) -> Question:
    return Question(text, "r1", "u1", **{"scope": Scope("thread:1"), **more})


async def collect(pipeline: Pipeline, asked: Question) -> list:
    return [event async for event in pipeline.answer(asked)]


async def test_an_answer_is_retrieved_prompted_streamed_cited_and_done():
    events = await collect(Pipeline(ShelfLibrary([TOWER]), QueueModel(list(ANSWER))), question())

    assert [type(e) for e in events] == [
        Retrieved, Prompted, Waiting, Reading, Token, Done,
    ]  # fmt: skip
    assert "".join(e.text for e in events if isinstance(e, Token)) == (
        "The tower was completed in 1889. [1]"
    )
    (citation,) = events[-1].citations
    assert (citation.file_name, citation.page) == ("paris.pdf", 3)
    assert citation.quote == TOWER.text
    assert events[-1].usage == Usage(20, 6)
    assert (events[-1].outcome, events[-1].read_share) == ("answered", 1.0)


async def test_a_statement_that_no_line_supports_is_marked_and_cites_nothing():
    model = QueueModel([TokenText("There are 17 bananas in Peru."), Finished("stop", Usage())])

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), question())

    assert events[-1].citations == ()
    assert "".join(e.text for e in events if isinstance(e, Token)).endswith("Peru. [?]")


async def test_a_small_model_is_not_asked_and_the_best_sentences_are_quoted():
    model = QueueModel(list(ANSWER), parameters=135_000_000)
    ranked = (Sentence(0, 25, 0.9),)
    found = replace(SMALL, ranked=ranked)

    events = await collect(Pipeline(ShelfLibrary([found, TOWER]), model), question())

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == f"{LEAD}\n\n> It was completed in 1889. [1]"
    assert ("quoted", model.asked) == (events[-1].outcome, [])
    assert [c.quote for c in events[-1].citations] == ["It was completed in 1889."]


async def test_quotes_repeat_nothing_and_a_heading_is_none():
    text = "The lamp\nIt was completed in March 1889. It is tall."
    spans = ((9, 40), (9, 43), (0, 8), (41, 52))
    ranked = tuple(Sentence(*span, 0.9 - n / 100) for n, span in enumerate(spans))
    found = Passage("d1", "p.pdf", 1, 0, len(text), text, 0.9, 1, ranked=ranked)
    model = QueueModel(parameters=135_000_000)

    *_, done = await collect(Pipeline(ShelfLibrary([found]), model), question())

    assert ["It was completed in March 1889."] == [c.quote for c in done.citations]


SMALL = Passage("d1", "p.pdf", 1, 0, 25, "It was completed in 1889.", 0.9, 1, evidence=(0, 25))


@pytest.mark.parametrize("asked", [{"stop": ("by",)}, {"logprobs": 2}])
async def test_who_asks_something_of_the_models_own_text_is_given_that(asked):
    model = QueueModel(list(OWN), parameters=135_000_000)
    sampling = Sampling(**asked)

    events = await collect(Pipeline(ShelfLibrary([SMALL]), model), question(sampling=sampling))

    own = "".join(e.text for e in OWN if isinstance(e, TokenText))
    assert own[:20] == "".join(e.text for e in events if isinstance(e, Token))[:20]


@pytest.mark.parametrize(
    "asked", [{"parameters": 135_000_000}, {"context_tokens": 1000}], ids=["small", "short"]
)
async def test_what_matches_too_little_is_not_put_to_a_model_that_cannot_read(asked):
    found = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.3),))
    model = QueueModel(list(ANSWER), **asked)

    events = await collect(Pipeline(ShelfLibrary([found]), model), question("Who sings?"))

    assert [type(e) for e in events] == [Retrieved, Token, Done]
    assert events[1].text == NOT_FOUND
    assert (events[2].found, events[2].supported, events[2].citations) == (False, False, ())
    assert events[2].outcome == "not_found"
    assert [c.quote for c in events[2].evidence] == [TOWER.text[:44]]
    assert model.asked == []


async def test_a_model_that_reads_says_itself_that_the_documents_do_not_say():
    found = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.3),))
    refusal = "Source: none\nAnswer: This is not in your documents."
    model = QueueModel([TokenText(refusal), Finished("stop", Usage())])

    events = await collect(Pipeline(ShelfLibrary([found]), model), question("Who sings?"))

    assert [e.text for e in events if isinstance(e, Token)] == [NOT_FOUND]
    assert (events[-1].outcome, events[-1].found, events[-1].citations) == ("not_found", False, ())


@pytest.mark.parametrize(
    ("asked", "reader", "language", "said"),
    [
        ("Wer singt im Chor des Turms?", "fr", "de", "de"),
        ("Qui chante dans la tour ?", "", "fr", "fr"),
        ("塔の中で誰が歌いますか。", "", "ja", "ja"),
        ("Singers?", "es", "es", "es"),
        ("Кто поёт в башне?", "", "und", "en"),
        ("Who sings?", "de", "en", "en"),
    ],
)
async def test_a_refusal_is_said_in_the_language_of_the_question(asked, reader, language, said):
    found = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.3),))
    refusal = "Source: none\nAnswer: This is not in your documents."
    expected = texts_in(said).say(NOT_FOUND)
    for model in (
        QueueModel([TokenText(refusal), Finished("stop", Usage())]),
        QueueModel(list(ANSWER), parameters=135_000_000),
    ):
        pipeline = Pipeline(ShelfLibrary([found]), model)
        events = await collect(pipeline, replace(question(asked), reader=reader))

        assert [e.text for e in events if isinstance(e, Token)] == [expected]
        assert (events[-1].outcome, events[-1].language) == ("not_found", language)


async def test_quotes_of_a_small_model_are_introduced_in_the_language_of_the_question():
    model = QueueModel(list(ANSWER), parameters=135_000_000)

    pipeline = Pipeline(ShelfLibrary([SMALL]), model)
    events = await collect(pipeline, question("Wann wurde der Turm gebaut?"))

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text.startswith("Das geladene Modell ist zu klein")
    assert (events[-1].outcome, events[-1].language) == ("quoted", "de")


async def test_a_model_without_room_for_whole_documents_gets_passages():
    model = QueueModel(list(OWN), context_tokens=1000)

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), question())

    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "The tower was completed in 1889. [1]"
    assert events[-1].outcome == "answered"
    (asked,) = model.asked
    assert await model.count_prompt(asked.messages) + asked.sampling.max_tokens <= 1000


async def test_an_answer_bound_to_a_form_is_never_refused():
    found = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.1),))
    model = QueueModel([TokenText("{}"), Finished("stop", Usage())])
    asked = question(sampling=Sampling(json_schema="{}"))

    events = await collect(Pipeline(ShelfLibrary([found]), model), asked)

    assert len(model.asked) == 1
    assert events[-1].found


async def test_without_a_scope_nothing_is_searched():
    library = ShelfLibrary([TOWER])

    events = await collect(Pipeline(library, QueueModel(list(ANSWER))), question(scope=None))

    assert library.queries == []
    assert not any(isinstance(e, Retrieved) for e in events)


async def test_while_the_model_is_away_the_passages_are_quoted_and_cited():
    away = XnaiError(MODEL_PREPARING, retry_after=40, detail="10 of 83 files")

    events = await collect(Pipeline(ShelfLibrary([TOWER]), QueueModel(not_ready=away)), question())

    assert [type(e) for e in events] == [Retrieved, Degraded, Token, Done]
    assert events[1].reason is away
    assert events[1].retry_in == 40
    assert "completed in March 1889. [1]" in events[2].text
    assert events[3].citations[0].document_id == "d1"


async def test_a_crash_before_the_first_token_falls_back_to_the_passages():
    model = QueueModel([Prefill(1, 2), XnaiError(MODEL_CRASHED, reason="killed")])

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), question())

    assert isinstance(events[-1], Done)
    assert any(isinstance(e, Degraded) for e in events)


async def test_a_crash_in_the_middle_of_the_text_is_an_error_not_a_second_answer():
    model = QueueModel([TokenText(f"{BEGUN_TEXT} And"), XnaiError(MODEL_CRASHED, reason="killed")])
    shown = []

    with pytest.raises(XnaiError, match="killed"):
        async for event in Pipeline(ShelfLibrary([TOWER]), model).answer(question()):
            shown.append(event)  # noqa: PERF401 - what came before the error is the point

    assert "".join(e.text for e in shown if isinstance(e, Token)).startswith("The tower was")


async def test_plain_chat_without_a_model_is_an_error_that_says_when():
    away = XnaiError(MODEL_PREPARING, retry_after=40, detail="10 of 83 files")

    with pytest.raises(XnaiError, match="still being compiled"):
        await collect(Pipeline(ShelfLibrary(), QueueModel(not_ready=away)), question(scope=None))


async def test_an_error_that_is_not_the_models_absence_is_not_hidden_by_passages():
    wrong = XnaiError(QUEUE_FULL, waiting=64)

    with pytest.raises(XnaiError, match="64 questions already wait"):
        await collect(Pipeline(ShelfLibrary([TOWER]), QueueModel(not_ready=wrong)), question())


@pytest.mark.parametrize("text", ["", "  \n\t "])
async def test_an_empty_question_is_refused(text):
    with pytest.raises(XnaiError, match="question is empty"):
        await collect(Pipeline(ShelfLibrary(), QueueModel()), question(text))


async def test_a_follow_up_is_searched_with_the_question_before_it():
    library = ShelfLibrary([TOWER])
    history = (Message("user", "Who built the Eiffel Tower?"), Message("assistant", "Eiffel."))

    await collect(
        Pipeline(library, QueueModel(list(ANSWER))), question("And when?", history=history)
    )

    assert library.queries == ["Who built the Eiffel Tower?\nAnd when?"]


@pytest.mark.parametrize(
    ("parameters", "outcome", "asked"),
    [(135_000_000, "quoted", 0), (8_000_000_000, "answered", 1)],
)
async def test_a_follow_up_is_answered_though_both_questions_match_less(parameters, outcome, asked):
    weak = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.3),))
    model = QueueModel(list(ANSWER), parameters=parameters)
    history = (Message("user", "Who built the Eiffel Tower?"), Message("assistant", "Eiffel."))

    events = await collect(
        Pipeline(ShelfLibrary([weak]), model), question("And when?", history=history)
    )

    assert (events[-1].outcome, events[-1].found) == (outcome, True)
    assert len(model.asked) == asked


GO_ON = "Go on with your answer exactly where it stopped; repeat nothing of it."
BEGUN = (Message("user", "When was the tower completed?"), Message("assistant", "The tower was"))


@pytest.mark.parametrize("parameters", [135_000_000, 8_000_000_000])
async def test_an_answer_that_is_gone_on_with_is_searched_for_by_its_own_question(parameters):
    weak = replace(TOWER, evidence=(0, 44), ranked=(Sentence(0, 44, 0.3),))
    library = ShelfLibrary([weak])
    model = QueueModel(
        [TokenText("completed in March 1889."), Finished("stop", Usage())], parameters=parameters
    )
    asked = question(GO_ON, history=BEGUN, continues=True)

    events = await collect(Pipeline(library, model), asked)

    assert library.queries == ["When was the tower completed?"]
    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == "completed in March 1889. [1]"
    (completion,) = model.asked
    assert [m.content for m in completion.messages[-3:]] == [*(m.content for m in BEGUN), GO_ON]


async def test_an_answer_gone_on_with_is_searched_by_what_its_question_leans_on_too():
    library = ShelfLibrary([TOWER])
    history = (
        Message("user", "Who built the Eiffel Tower?"),
        Message("assistant", "Eiffel."),
        Message("user", "And when?"),
        Message("assistant", "It was"),
    )
    asked = question(GO_ON, history=history, continues=True)

    await collect(Pipeline(library, QueueModel(list(ANSWER))), asked)

    assert library.queries == ["Who built the Eiffel Tower?\nAnd when?"]


async def test_a_question_that_stands_alone_is_searched_alone():
    library = ShelfLibrary([TOWER])
    history = (Message("user", "Who built the Eiffel Tower?"), Message("assistant", "Eiffel."))
    asked = question("On which day is bread baked?", history=history)

    await collect(Pipeline(library, QueueModel(list(ANSWER))), asked)

    assert library.queries == ["On which day is bread baked?"]


async def test_closing_the_answer_closes_the_models_stream():
    model = QueueModel(list(ANSWER))

    async with aclosing(Pipeline(ShelfLibrary([TOWER]), model).answer(question())) as events:
        async for event in events:
            if isinstance(event, Token):
                break

    assert model.closed == 1


async def test_loading_is_told_before_it_is_waited_for():
    model = QueueModel(list(ANSWER), state="loading")

    events = await collect(Pipeline(ShelfLibrary(), model), question(scope=None))

    assert events[0] == Loading("Loading queue")


@pytest.mark.parametrize("form", [{"json_schema": "{}"}, {"grammar": 'root ::= "a"'}])
async def test_an_answer_bound_to_a_form_gets_no_marks_and_is_cited_all_the_same(form):
    text = '{"answer": "completed in March 1889"}'
    model = QueueModel([TokenText(text), Finished("stop", Usage())])

    asked = question(sampling=Sampling(stop=("END",), **form))
    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), asked)

    assert text == "".join(e.text for e in events if isinstance(e, Token))
    assert [c.file_name for c in events[-1].citations] == ["paris.pdf"]
    assert events[-1].supported
    assert model.asked[0].sampling.stop == ("END",)


async def test_log_probabilities_pass_even_while_their_text_is_held_back():
    first, second = TokenLogprob(" [", b" [", -1.0), TokenLogprob("1]", b"1]", -2.0)
    model = QueueModel(
        [TokenText(" [", (first,)), TokenText("1]", (second,)), Finished("stop", Usage())]
    )

    asked = question(sampling=Sampling(logprobs=0))

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), asked)

    tokens = [event for event in events if isinstance(event, Token)]
    assert [("", (first,)), ("", (second,))] == [(e.text, e.logprobs) for e in tokens]


async def test_log_probabilities_that_nobody_asked_for_are_asked_of_the_model_and_kept():
    one = TokenLogprob("1889", b"1889", -0.1)
    model = QueueModel(
        [TokenText("Source: [1] 1889\nAnswer: In 1889.", (one,)), Finished("stop", Usage())]
    )

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), question())

    assert model.asked[0].sampling.logprobs == BEGINNINGS
    assert [e.logprobs for e in events if isinstance(e, Token)] == [()]


@dataclass
class ForgetfulModel(QueueModel):
    """Has no answer left the second time that it is asked."""

    async def complete(self, completion):
        script, self.script = self.script, []
        async with aclosing(QueueModel(script).complete(completion)) as events:
            async for event in events:
                yield event


async def test_what_was_shown_of_an_endpoints_answer_is_not_shown_again_by_the_local_engine():
    away = XnaiError(REMOTE_BROKE_OFF, endpoint="a:1", reason="it just ended")
    local = QueueModel(list(ANSWER))
    model = FallbackModel(ForgetfulModel([TokenText(f"{BEGUN_TEXT} And"), away]), local)
    shown = []

    with pytest.raises(XnaiError, match="it just ended"):
        async for event in Pipeline(ShelfLibrary([TOWER]), model).answer(question()):
            shown.append(event)  # noqa: PERF401 - what came before the error is the point

    assert "".join(event.text for event in shown if isinstance(event, Token)).startswith("The")
    assert not local.asked


async def test_passages_alone_are_quoted_once_when_the_model_that_stands_in_fails_too():
    away = XnaiError(REMOTE_BROKE_OFF, endpoint="a:1", reason="it just ended")
    crash = XnaiError(MODEL_CRASHED, reason="killed")
    model = FallbackModel(QueueModel([away]), QueueModel([crash]))

    events = await collect(Pipeline(ShelfLibrary([TOWER]), model), question())

    kinds = [type(event) for event in events]
    assert kinds == [Retrieved, Prompted, Reduced, Prompted, Degraded, Token, Done]
    assert next(e.reason for e in events if isinstance(e, Degraded)) is crash


async def test_no_generator_of_a_question_is_left_open_wherever_it_is_closed():
    left = []
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=lambda one: left.append(one.ag_code.co_name))
    try:
        for count in range(1, 7):
            model = FallbackModel(QueueModel(list(ANSWER)), QueueModel())
            asking = Pipeline(ShelfLibrary([TOWER]), model).answer(question())
            async with aclosing(asking) as events:
                for _ in range(count):
                    await anext(events)
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*before)

    assert not left
