"""The hidden state of a prompt beside its answer, from the real worker."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from rig.waiting import collect
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    Finished,
    HiddenState,
    StateRequest,
    TokenText,
)
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

YEARS = range(1900, 1940)
LONG = " ".join(f"In the year {year} the mill ground {year % 97} sacks." for year in YEARS)
LAYER = 12


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("states")
    chosen = {"data_dir": folder / "data", "models_dir": folder, "context": 2048, "slots": 3}
    settings = Settings(_env_file=None, **chosen)
    running = LocalEngine(settings, EngineBuild(settings))
    await running.start()
    await running.ensure_ready(time.monotonic() + 60)
    yield running
    await running.close()


def ask(text: str, layer: int = LAYER, after: str = "Source:") -> Completion:
    sampling = Sampling(max_tokens=12, temperature=0.0, repeat_penalty=1.0)
    deadline = time.monotonic() + 120
    request = StateRequest(layer, after)
    return Completion("r", "u", (Message("user", text),), sampling, deadline, state=request)


def values(events: list[CompletionEvent]) -> tuple[float, ...]:
    (state,) = (event for event in events if isinstance(event, HiddenState))
    return state.values


def text_of(events: list[CompletionEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenText))


def alike(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


async def test_it_comes_before_the_first_text_and_changes_no_answer(engine):
    asked = ask("Name three colours of the flag of Italy.")
    events = await collect(engine.complete(asked))
    kinds = [type(event) for event in events]
    assert kinds.index(HiddenState) < kinds.index(TokenText)
    assert isinstance(events[-1], Finished)
    plain = await collect(engine.complete(replace(asked, state=None)))
    assert text_of(plain) == text_of(events)
    assert HiddenState not in [type(event) for event in plain]


async def test_a_prompt_found_in_the_cache_has_the_same_as_one_that_is_read(engine):
    first = values(await collect(engine.complete(ask(f"{LONG} How many sacks in 1912?"))))
    again = await collect(engine.complete(ask(f"{LONG} How many sacks in 1912?")))
    assert isinstance(again[-1], Finished)
    assert again[-1].usage.reused_tokens > 100
    other = values(await collect(engine.complete(ask(f"{LONG} Who was the miller's wife?"))))
    assert len(first) == len(other) == 576
    assert alike(first, values(again)) > 0.999
    assert alike(first, other) < 0.999


async def test_what_stands_behind_the_prompt_counts(engine):
    one, other = [
        values(await collect(engine.complete(ask(LONG, after=after))))
        for after in ("Yes", "Source:")
    ]
    assert alike(one, other) < 0.99


async def test_answers_side_by_side_have_each_their_own(engine):
    questions = [f"What is the capital of {name}?" for name in ("France", "Peru", "Japan")]
    together = await asyncio.gather(*(collect(engine.complete(ask(one))) for one in questions))
    alone = [await collect(engine.complete(ask(one))) for one in questions]
    for one, other in zip(together, alone, strict=True):
        assert alike(values(one), values(other)) > 0.999


@pytest.mark.parametrize(
    ("layer", "after"), [(99, "Source:"), (-1, "Source:"), (LAYER, ""), (LAYER, "word " * 40)]
)
async def test_one_that_is_not_there_is_left_out_and_the_answer_comes(engine, layer, after):
    events = await collect(engine.complete(ask("Say hello.", layer, after)))
    assert HiddenState not in [type(event) for event in events]
    assert text_of(events)
