"""The real model in its worker: streaming, counting, cancelling, waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from rig.waiting import collect, eventually
from xnai.errors import XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, Finished, Prefill, Queued, TokenText
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

LONG = "The harbour of the old town was busy with ships from many lands. " * 200


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("llm")
    settings = Settings(
        _env_file=None,
        data_dir=folder / "data",
        models_dir=folder / "models",
        context=1024,
        queue_limit=3,
        slots=1,
    )
    running = LocalEngine(settings, EngineBuild(settings))
    await running.start()
    await running.ensure_ready(time.monotonic() + 60)
    yield running
    await running.close()


def ask(text: str, seconds: float = 60, **sampling: object) -> Completion:
    values = {"max_tokens": 40, "temperature": 0.0, **sampling}
    return Completion(
        "r", "u", (Message("user", text),), Sampling(**values), time.monotonic() + seconds
    )


async def answer(engine: LocalEngine, completion: Completion) -> str:
    events = await collect(engine.complete(completion))
    return "".join(event.text for event in events if isinstance(event, TokenText))


async def test_an_answer_streams_and_ends_once(engine):
    events = await collect(engine.complete(ask("What is the capital of France?")))
    kinds = [type(event) for event in events]
    assert [Finished] == [kind for kind in kinds if kind is Finished] == kinds[-1:]
    assert kinds.count(TokenText) > 3


async def test_greedy_decoding_gives_the_same_text_twice(engine):
    question = "Write two sentences about the sea."
    assert await answer(engine, ask(question)) == await answer(engine, ask(question))


async def test_a_seed_gives_the_same_text_twice(engine):
    values = {"temperature": 1.5, "seed": 7, "max_tokens": 12}
    question = "Invent a name for a ship."
    assert await answer(engine, ask(question, **values)) == await answer(
        engine, ask(question, **values)
    )


async def test_prefill_reports_progress_up_to_the_whole_prompt(engine):
    events = await collect(engine.complete(ask(LONG[:3000], max_tokens=1)))
    progress = [event for event in events if isinstance(event, Prefill)]
    assert progress[-1].done == progress[-1].total == events[-1].usage.prompt_tokens
    assert len(progress) > 2


async def test_a_later_turn_reads_only_what_is_new(engine):
    await collect(engine.complete(ask(LONG[:3000], max_tokens=1)))
    events = await collect(engine.complete(ask(LONG[:3000] + " And then?", max_tokens=1)))
    assert events[0].done > 0.9 * events[0].total


async def test_the_answer_ends_at_max_tokens(engine):
    events = await collect(engine.complete(ask("Tell a long story.", max_tokens=5)))
    assert (events[-1].reason, events[-1].usage.completion_tokens) == ("length", 5)


async def test_the_answer_ends_where_the_context_does(engine):
    text, room = LONG[:3500], 1024
    while room > 80:
        text += "harbour " * 4
        room = 1024 - await engine.count_prompt([Message("user", text)])
    events = await collect(engine.complete(ask(text, max_tokens=9999, repeat_penalty=1.0)))
    assert ("length", room + 1) == (events[-1].reason, events[-1].usage.completion_tokens)


async def test_a_stop_string_ends_the_answer_and_is_not_shown(engine):
    whole = await answer(engine, ask("Count from one to ten in words."))
    stop = whole[10:16]
    cut = await answer(engine, ask("Count from one to ten in words.", stop=(stop,)))
    assert whole[: whole.index(stop)] == cut


async def test_a_question_that_is_too_long_is_refused_with_its_length(engine):
    with pytest.raises(XnaiError) as caught:
        await collect(engine.complete(ask(LONG * 3)))
    assert caught.value.code == "question_too_long"
    assert caught.value.values["tokens"] > 1024


async def test_a_question_of_200_kb_is_refused_and_the_next_is_answered(engine):
    with pytest.raises(XnaiError, match="tokens"):
        await collect(engine.complete(ask("x" * 200_000)))
    assert await answer(engine, ask("Say hello."))


@pytest.mark.parametrize(
    "text",
    ["日本の首都はどこですか", "🦊" * 50, "\ud800", "a\0b", ""],
    ids=["Japanese", "emoji", "surrogate", "NUL", "empty"],
)
async def test_unusual_text_is_answered(engine, text):
    assert isinstance((await collect(engine.complete(ask(text, max_tokens=3))))[-1], Finished)


async def test_a_special_token_in_a_question_stays_text(engine):
    plain = await engine.count_prompt([Message("user", "")])
    spelled = await engine.count_prompt([Message("user", "<|im_end|>")])
    assert spelled - plain > 3


async def test_counting_works_while_an_answer_is_written(engine):
    async with aclosing(engine.complete(ask("Tell a long story.", max_tokens=300))) as events:
        async for event in events:
            if isinstance(event, TokenText):
                assert await engine.count_tokens(["hello world", ""]) == [2, 0]
                break


async def test_closing_in_prefill_frees_the_slot_at_once(engine):
    begun = time.monotonic()
    await collect(engine.complete(ask(LONG[4:4000], max_tokens=1)))
    whole = time.monotonic() - begun
    async with aclosing(engine.complete(ask(LONG[9:4000]))) as events:
        await anext(events)
    begun = time.monotonic()
    await collect(engine.complete(ask("Hi", max_tokens=1)))
    assert time.monotonic() - begun < whole


async def test_closing_while_text_streams_frees_the_slot_at_once(engine):
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=2000))) as events:
        async for event in events:
            if isinstance(event, TokenText):
                break
    begun = time.monotonic()
    await collect(engine.complete(ask("Hi", max_tokens=1)))
    assert time.monotonic() - begun < 5  # the whole answer would take longer


async def test_cancelled_answers_count_their_tokens(engine):
    before = engine.counters.prompt_tokens
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=2000))) as events:
        async for event in events:
            if isinstance(event, TokenText):
                break
    await collect(engine.complete(ask("Hi", max_tokens=1)))
    prompts = [Message("user", "Tell a story.")], [Message("user", "Hi")]
    counted = [await engine.count_prompt(prompt) for prompt in prompts]
    assert sum(counted) == engine.counters.prompt_tokens - before


async def test_an_answer_past_its_deadline_ends_and_frees_the_slot(engine):
    with pytest.raises(XnaiError) as caught:
        await collect(
            engine.complete(
                ask("Tell a story.", seconds=0.5, max_tokens=2000, temperature=1.0, seed=1)
            )
        )
    assert caught.value.code == "answer_timeout"
    assert await answer(engine, ask("Say hello."))


async def test_who_waits_hears_the_position_and_moves_up(engine):
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=2000))) as first:
        await anext(first)
        second = asyncio.create_task(collect(engine.complete(ask("Hi", max_tokens=1))))
        await eventually(lambda: engine.waiting == 1)
        third = asyncio.create_task(collect(engine.complete(ask("Hi", max_tokens=1))))
        await eventually(lambda: engine.waiting == 2)
    events = [event for event in await third if isinstance(event, Queued)]
    assert [event.position for event in events] == [2, 1]
    assert all(event.eta_seconds is not None for event in events)
    assert isinstance((await second)[-1], Finished)


async def test_a_full_queue_refuses_at_once(engine):
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=2000))) as first:
        await anext(first)
        waiting = [
            asyncio.create_task(collect(engine.complete(ask("Hi", max_tokens=1)))) for _ in range(3)
        ]
        await eventually(lambda: engine.waiting == 3)
        with pytest.raises(XnaiError) as caught:
            await collect(engine.complete(ask("Hi")))
    assert (caught.value.code, caught.value.retry_after is not None) == ("queue_full", True)
    await asyncio.gather(*waiting)


async def test_a_waiting_question_that_is_cancelled_leaves_the_queue(engine):
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=2000))) as first:
        await anext(first)
        waiting = asyncio.create_task(collect(engine.complete(ask("Hi", max_tokens=1))))
        await eventually(lambda: engine.waiting == 1)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert engine.waiting == 0


async def test_the_model_in_use_is_listed_with_its_context(engine):
    first = engine.models()[0]
    assert (first.name, first.context, first.bundled) == ("SmolLM2-135M-Instruct", 1024, True)
