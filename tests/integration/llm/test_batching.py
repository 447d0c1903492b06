"""Several answers at once from the real worker: one prefix read once, and cancels at any moment."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
import pytest_asyncio

from rig.waiting import collect
from xnai.aio import cancel_and_wait
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, CompletionEvent, Finished, Prefill, TokenText
from xnai.llm.worker.scheduler import FIXED_CHUNK
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

NOTES = " ".join(
    f"On day {day} the keeper of the {day}th lamp wrote that the {('sea', 'wind', 'fog')[day % 3]} "
    f"came from the {('north', 'east', 'south', 'west')[day % 4]} and stayed for {day + 2} hours."
    for day in range(1, 16)
)
SLOTS = 4


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("batching")
    chosen = {"data_dir": folder / "data", "models_dir": folder, "context": 2048, "slots": SLOTS}
    settings = Settings(_env_file=None, **chosen)
    running = LocalEngine(settings, EngineBuild(settings))
    await running.start()
    await running.ensure_ready(time.monotonic() + 60)
    yield running
    await running.close()


def ask(text: str, **sampling: object) -> Completion:
    values = {"max_tokens": 24, "temperature": 0.0, "repeat_penalty": 1.0, **sampling}
    deadline = time.monotonic() + 120
    return Completion("r", "u", (Message("user", text),), Sampling(**values), deadline)


def text_of(events: list[CompletionEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenText))


async def test_answers_grow_side_by_side(engine):
    questions = [f"Tell a long story about the number {number}." for number in range(SLOTS)]
    order: list[int] = []

    async def listen(index: int) -> None:
        async with aclosing(engine.complete(ask(questions[index], max_tokens=40))) as events:
            async for event in events:
                if isinstance(event, TokenText):
                    order.append(index)  # noqa: PERF401 - the order of all is wanted

    await asyncio.gather(*(listen(index) for index in range(SLOTS)))
    firsts = [order.index(index) for index in range(SLOTS)]
    lasts = [len(order) - order[::-1].index(index) for index in range(SLOTS)]
    assert max(firsts) < min(lasts)


async def test_a_long_prompt_does_not_stall_an_answer_that_grows(engine):
    gaps: list[float] = []

    async def listen() -> None:
        last = None
        async with aclosing(engine.complete(ask("Tell a long story.", max_tokens=150))) as events:
            async for event in events:
                if isinstance(event, TokenText):
                    now = time.monotonic()
                    gaps.append(now - (last or now))
                    last = now

    async def disturb() -> float:
        begun = time.monotonic()
        await collect(
            engine.complete(ask(f"{random.random()} {NOTES} {NOTES} {NOTES}", max_tokens=1))
        )
        return time.monotonic() - begun

    _, whole = await asyncio.gather(listen(), disturb())
    assert max(gaps) < whole / 2


async def test_chats_over_one_document_read_it_once(engine):
    document = f"{random.random()} {NOTES}"
    questions = [f"{document}\n\nWhat happened on day {day}?" for day in range(1, SLOTS + 1)]
    tokens = await engine.count_prompt([Message("user", questions[0])])
    before = engine.counters.prefilled_tokens
    await asyncio.gather(*(collect(engine.complete(ask(question))) for question in questions))
    assert engine.counters.prefilled_tokens - before < 1.2 * tokens


async def test_the_next_turn_reads_only_what_is_new(engine):
    turns = [Message("user", f"{random.random()} {NOTES}\n\nWhat came on day 3?")]
    first = await collect(engine.complete(replace(ask(""), messages=tuple(turns))))
    turns += [Message("assistant", text_of(first)), Message("user", "And on day 4?")]
    second = await collect(engine.complete(replace(ask(""), messages=tuple(turns))))
    usage = second[-1].usage
    assert usage.prompt_tokens - usage.reused_tokens < 30


async def test_more_chats_than_slots_find_their_beginnings_again(engine):
    chats = [f"{random.random()} {NOTES}" for _ in range(SLOTS + 2)]
    for chat in chats:
        await collect(engine.complete(ask(chat, max_tokens=1)))
    for chat in chats:
        usage = (await collect(engine.complete(ask(f"{chat} Go on.", max_tokens=1))))[-1].usage
        assert usage.reused_tokens > 0.8 * usage.prompt_tokens


async def test_the_same_seed_gives_the_same_text_whatever_the_cache_holds(engine):
    wish = ask(NOTES, seed=7, temperature=0.8, max_tokens=40)
    first = text_of(await collect(engine.complete(wish)))
    await collect(engine.complete(ask(f"{NOTES} Something else.")))
    assert first == text_of(await collect(engine.complete(wish)))


async def test_seeded_questions_over_one_document_read_it_once_and_get_the_same_numbers(engine):
    document = f"{random.random()} {NOTES} {NOTES}"
    questions = [f"{document}\n\nWhat came on day {day}?" for day in (3, 7, 3)]
    fresh, other, again = [
        await collect(engine.complete(ask(text, seed=3, temperature=0.8, logprobs=0)))
        for text in questions
    ]
    reused = [events[-1].usage.reused_tokens for events in (fresh, other, again)]
    assert reused[0] == 0
    assert 512 <= reused[1] <= reused[2]
    assert [0, 0, 0] == [tokens % FIXED_CHUNK for tokens in reused]
    assert (text_of(fresh), logprobs(fresh)) == (text_of(again), logprobs(again))
    assert text_of(other) != text_of(again)


async def test_a_seed_gives_the_same_numbers_beside_whatever_else_is_answered(engine):
    question = f"{NOTES[:900]}\n\nWhat came on day 6?"

    async def seeded() -> list[CompletionEvent]:  # each with a time limit of its own
        return await collect(engine.complete(ask(question, seed=6, temperature=0.8, logprobs=0)))

    alone = await seeded()
    copied = "The cat sat on the mat. The dog lay on the rug. " * 6

    async def neighbour(number: int) -> None:
        text = copied if number % 2 else NOTES[:900]
        await asyncio.sleep(number * 0.1)
        await collect(engine.complete(ask(f"{number} Copy this: {text}", max_tokens=200)))

    beside = [asyncio.create_task(neighbour(number)) for number in range(SLOTS - 1)]
    try:
        found = [await seeded() for _ in range(2)]
    finally:  # whether they get to their end says nothing here
        await cancel_and_wait(*beside)
    assert [(text_of(alone), logprobs(alone))] * 2 == [(text_of(o), logprobs(o)) for o in found]


async def test_answers_that_repeat_are_the_same_with_drafts_as_without(engine):
    verse = "The cat sat on the mat. The dog lay on the rug. The bird sang in the tree. " * 4
    wish = ask(f"Copy this text: {verse}", max_tokens=30)  # where it ends is a close call
    alone = text_of(
        await collect(engine.complete(replace(wish, sampling=replace(wish.sampling, seed=1))))
    )
    together = await asyncio.gather(*(collect(engine.complete(wish)) for _ in range(SLOTS)))
    assert [alone] * SLOTS == [text_of(events) for events in together]
    assert "The cat sat on the mat. The dog lay on the rug." in alone


async def test_another_seed_gives_another_text(engine):
    texts = {
        text_of(
            await collect(engine.complete(ask(NOTES, seed=seed, temperature=0.8, max_tokens=40)))
        )
        for seed in (1, 2, 3)
    }
    assert len(texts) > 1


async def test_a_prefix_that_was_reused_gives_the_same_numbers_but_for_rounding(engine):
    # llama.cpp rounds a token that is read alone otherwise than one among many.
    question = f"{NOTES}\n\nWhat came on day 5?"
    read = await collect(engine.complete(ask(question, seed=1, logprobs=0, max_tokens=8)))
    reused = await collect(engine.complete(ask(question, logprobs=0, max_tokens=8)))
    assert reused[-1].usage.reused_tokens > 0.9 * reused[-1].usage.prompt_tokens
    assert logprobs(read) == pytest.approx(logprobs(reused), abs=0.5)


def logprobs(events: list[CompletionEvent]) -> list[float]:
    return [
        entry.logprob
        for event in events
        if isinstance(event, TokenText)
        for entry in event.logprobs
    ]


@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.nightly)])
async def test_after_random_cancels_a_fixed_seed_gives_what_it_gave_at_first(engine, count):
    wishes = [
        ask(f"{NOTES}\n\nWhat came on day {day}?", seed=day, temperature=0.7) for day in (2, 9)
    ]
    before = [text_of(await collect(engine.complete(wish))) for wish in wishes]
    draw = random.Random(0)

    async def cancelled(number: int) -> None:
        start = draw.randrange(len(NOTES) // 2)
        completion = ask(f"{number % 7} {NOTES[start:]}", max_tokens=60)
        stop_at = draw.choice([0.0, draw.random() * 0.3, draw.random() * 2])
        try:
            async with asyncio.timeout(stop_at):
                await collect(engine.complete(completion))
        except TimeoutError:
            pass

    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            await cancelled(number)

    await asyncio.gather(*(client() for _ in range(2 * SLOTS)))
    assert before == [text_of(await collect(engine.complete(wish))) for wish in wishes]
    assert (0, 0) == (engine.running, engine.waiting)


async def test_a_cancel_in_the_middle_of_a_long_prefill_frees_the_slot_before_it_is_read(engine):
    text = f"{random.random()} {NOTES} {NOTES} {NOTES}"
    begun = time.monotonic()
    await collect(engine.complete(ask(text, seed=1, max_tokens=1)))
    whole = time.monotonic() - begun
    async with aclosing(engine.complete(ask(text, seed=1))) as events:
        async for event in events:
            if isinstance(event, Prefill):
                break
        begun = time.monotonic()
    assert (engine.running, time.monotonic() - begun < whole / 2) == (0, True)


async def test_a_reader_who_stands_still_does_not_stall_the_others(engine):
    async with aclosing(engine.complete(ask("Tell a story.", max_tokens=1500))) as slow:
        await anext(slow)
        events = await collect(engine.complete(ask("Name a colour.", max_tokens=30)))
        assert isinstance(events[-1], Finished)
