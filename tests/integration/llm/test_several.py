"""Several requests at once, against a real process that speaks the worker's frames."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from frame_engine import OPTIONS, Reader, ask, loads, outcome, ready

from rig.waiting import PATIENCE, collect, eventually
from xnai.errors import XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine import backoff
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.engine.request import UNREAD_LIMIT
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.protocol import Finished, Prefill, Queued, TokenText
from xnai.settings import Settings
from xnai.types import Usage

PIPE = 70_000  # bytes that a pipe holds, and a little
SOON = 5.0  # seconds, on a busy machine; what is not waited for takes nine and more
Maker = Callable[..., Awaitable[LocalEngine]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundled = bundled_path()
    assert bundled is not None
    for name in ("mine", "other"):
        (tmp_path / f"{name}.gguf").symlink_to(bundled)
    return tmp_path


@pytest_asyncio.fixture
async def make(folder: Path) -> AsyncIterator[Maker]:
    engines: list[LocalEngine] = []

    async def make_engine(
        slots: int = 1, options: WorkerOptions = OPTIONS, **values: object
    ) -> LocalEngine:
        (folder / "slots").write_text(str(slots))
        chosen = {"data_dir": folder / "data", "models_dir": folder, "model": "mine", **values}
        settings = Settings(_env_file=None, **chosen)
        engine = LocalEngine(settings, EngineBuild(settings), options)
        engines.append(engine)
        await engine.start()
        return engine

    yield make_engine
    for engine in engines:
        await engine.close()


async def test_as_many_answers_as_the_worker_has_slots_run_at_once(make):
    engine = await make(slots=3)
    await ready(engine)
    readers = [Reader(engine, "say=20 step=0.02") for _ in range(5)]
    await eventually(lambda: all(reader.has(TokenText) for reader in readers[:3]))
    assert (engine.status.running, engine.status.waiting) == (3, 2)
    assert [await outcome(reader.task) for reader in readers] == ["finished"] * 5
    assert [reader.has(Queued) for reader in readers] == [False] * 3 + [True] * 2
    assert (engine.running, engine.waiting) == (0, 0)


async def test_an_answer_is_whole_and_says_what_was_reused(make):
    engine = await make(slots=2)
    first, second = Reader(engine, "say=50"), Reader(engine, "say=40")
    await asyncio.gather(first.task, second.task)
    assert first.text == "".join(f"t{n} " for n in range(1, 51))
    assert second.text == "".join(f"t{n} " for n in range(1, 41))
    assert first.events[-1] == Finished("stop", Usage(100, 50, 40))
    counted = engine.counters.reused_tokens, engine.counters.prefilled_tokens
    assert counted == (80, 120)


@pytest.mark.parametrize("count", [10, 20])
async def test_first_questions_at_once_load_the_model_once(make, folder, count):
    (folder / "load").write_text("0.3")
    engine = await make(slots=4)
    outcomes = await asyncio.gather(
        *(outcome(collect(engine.complete(ask()))) for _ in range(count))
    )
    assert (outcomes, loads(folder)) == (["finished"] * count, 1)


async def test_users_take_turns_whoever_asked_more(make):
    engine = await make()
    await ready(engine)
    readers = {f"a{n}": Reader(engine, "say=2 step=0.01", "a") for n in range(3)}
    await eventually(lambda: engine.running == 1)
    readers |= {f"b{n}": Reader(engine, "say=2 step=0.01", "b") for n in range(2)}
    await asyncio.gather(*(reader.task for reader in readers.values()))
    order = sorted(readers, key=lambda name: readers[name].ended_at)
    assert order == ["a0", "b0", "a1", "b1", "a2"]


async def test_an_estimate_is_renewed_while_one_waits(make, monkeypatch):
    monkeypatch.setattr("xnai.llm.engine.admission.REFRESH_SECONDS", 0.2)
    engine = await make()
    # Measured: half a second to read, then a tenth for each of forty tokens.
    await collect(engine.complete(ask("say=40")))
    first = Reader(engine, "say=150 step=0.01")
    await eventually(lambda: first.has(TokenText))
    second = Reader(engine, "")
    await asyncio.gather(first.task, second.task)
    places = [event for event in second.events if isinstance(event, Queued)]
    assert {event.position for event in places} == {1}
    estimates = [event.eta_seconds for event in places]
    assert len(estimates) > 1
    assert estimates == sorted(estimates, reverse=True)


PHASES = {"idle": None, "prefill": "wait=0.5 say=2", "decode": "say=200 step=0.01"}
ENDS = {
    "SIGKILL": "killed (SIGKILL)",
    "SIGSEGV": "crashed (SIGSEGV)",
    "SIGSTOP": "no sign of life",
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ENDS)
async def test_a_worker_that_ends_is_replaced_whatever_it_did(make, folder, phase, name):
    engine = await make()
    pid = await ready(engine)
    command = PHASES[phase]
    reader = None
    if command is not None:
        reader = Reader(engine, command)
        await eventually(lambda: reader.has(Prefill if phase == "prefill" else TokenText))
    os.kill(pid, getattr(signal, name))
    if reader is not None:
        blamed = "question_killed_model: " + ENDS[name]  # nobody else had the model work
        spared = "finished" if name == "SIGKILL" else blamed  # that came from outside
        expected = spared if phase == "prefill" else f"model_crashed: {ENDS[name]}"
        ended = await outcome(reader.task)
        assert all(part in ended for part in expected.split(": "))
    await eventually(lambda: engine.worker_pid not in (None, pid))
    assert await outcome(collect(engine.complete(ask()))) == "finished"
    assert (loads(folder), engine.counters.restarts) == (2, 1)
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("late assert", "gave up (SIGABRT): /src/ggml.c:12: GGML_ASSERT(n_pos > 0) failed"),
        ("late exit=42", "ended with exit code 42"),
        ("late die=SIGSEGV", "crashed (SIGSEGV)"),
        ("late stuck", "a step of it took longer than 0.3 seconds"),
    ],
)
async def test_the_cause_of_a_death_is_told(make, command, words):
    engine = await make(options=replace(OPTIONS, step_seconds=0.3))
    reader = Reader(engine, f"{command} say=9 step=0.05")
    assert words in await outcome(reader.task)
    assert reader.text.startswith("t1 ")


async def test_who_waits_keeps_the_place_when_the_worker_dies(make):
    engine = await make()
    pid = await ready(engine)
    first = Reader(engine, "say=200 step=0.01")
    await eventually(lambda: first.has(TokenText))
    others = [Reader(engine, "say=2", user) for user in ("b", "a", "c")]
    await eventually(lambda: engine.waiting == 3)
    os.kill(pid, signal.SIGKILL)
    assert "model_crashed" in await outcome(first.task)
    assert [await outcome(reader.task) for reader in others] == ["finished"] * 3
    assert sorted(others, key=lambda reader: reader.ended_at) == others


async def test_who_waits_sits_out_the_pause_before_a_restart(make, folder, monkeypatch):
    monkeypatch.setattr(backoff, "BACK_OFF", (0.0, 0.1, 0.5, 0.5, 0.5, 0.5))
    engine = await make()
    pid = await ready(engine)
    first = Reader(engine, "say=200 step=0.01")
    await eventually(lambda: first.has(TokenText))
    waiting = Reader(engine, "say=2", "b")
    await eventually(lambda: engine.waiting == 1)
    (folder / "broken").touch()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: loads(folder) >= 3 and engine.status.state == "down")
    assert "model_down" in await outcome(
        collect(engine.complete(ask()))
    )  # who comes now is told when
    (folder / "broken").unlink()
    assert await outcome(waiting.task) == "finished"


async def test_what_had_shown_nothing_is_tried_again_before_those_who_wait(make):
    engine = await make()
    pid = await ready(engine)
    first = Reader(engine, "wait=0.4 say=2", "a")
    await eventually(lambda: first.has(Prefill))
    second = Reader(engine, "say=2", "b")
    await eventually(lambda: engine.waiting == 1)
    os.kill(pid, signal.SIGKILL)
    assert [await outcome(reader.task) for reader in (first, second)] == ["finished"] * 2
    assert first.ended_at < second.ended_at


async def test_a_question_that_kills_the_worker_twice_takes_nobody_along(make, folder):
    engine = await make(slots=4)
    await ready(engine)
    others = [Reader(engine, "wait=0.6 say=2", user) for user in "abc"]
    await eventually(lambda: all(reader.has(Prefill) for reader in others))
    poison = Reader(engine, "die=SIGSEGV", "d")
    assert "question_killed_model" in await outcome(poison.task)
    assert "SIGSEGV" in await outcome(poison.task)
    assert [await outcome(reader.task) for reader in others] == ["finished"] * 3
    await eventually(lambda: loads(folder) == 3)
    assert (engine.running, engine.waiting) == (0, 0)


async def test_a_model_that_never_comes_up_rests_until_it_is_asked_for(make, folder, monkeypatch):
    monkeypatch.setattr(backoff, "BACK_OFF", (0.0, 0.02))
    monkeypatch.setattr(backoff, "REST_SECONDS", 0.5)
    (folder / "broken").touch()
    engine = await make()
    await eventually(lambda: loads(folder) == 3 and engine.status.state == "down")
    assert "3 times in a row" in engine.status.detail
    assert 0 < (engine.status.retry_in or 0) <= 0.5
    assert "model_down" in await outcome(collect(engine.complete(ask())))
    await eventually(lambda: engine.status.retry_in == 0)
    assert loads(folder) == 3
    (folder / "broken").unlink()
    assert await outcome(collect(engine.complete(ask()))) == "finished"
    assert loads(folder) == 4


async def test_closing_sends_away_who_waits_for_the_model_to_load(make, folder):
    (folder / "load").write_text("9")
    engine = await make()
    readers = [Reader(engine, "", user) for user in "ab"]
    await eventually(lambda: engine.waiting == 1)
    await engine.close()
    outcomes = [await asyncio.wait_for(outcome(reader.task), PATIENCE) for reader in readers]
    assert outcomes == ["shutting_down: The server is shutting down."] * 2


async def test_an_idle_model_is_unloaded_and_loaded_with_the_next_question(make, folder):
    engine = await make(idle_unload=0.2)
    pid = await ready(engine)
    assert await outcome(collect(engine.complete(ask("wait=0.5")))) == "finished"
    assert engine.worker_pid == pid  # work is no idleness
    await eventually(lambda: engine.status.idle)
    assert (engine.status.state, "idle" in engine.status.detail) == ("ready", True)
    await eventually(lambda: not psutil.pid_exists(pid))
    assert loads(folder) == 1
    assert await engine.count_tokens(["a b"]) == [2]
    outcomes = await asyncio.gather(*(outcome(collect(engine.complete(ask()))) for _ in range(5)))
    assert (outcomes, loads(folder)) == (["finished"] * 5, 2)
    assert engine.counters.restarts == 0


async def test_questions_at_the_moment_of_unloading_are_answered(make):
    engine = await make(idle_unload=0.05)
    for pause in range(12):
        assert await outcome(collect(engine.complete(ask()))) == "finished"
        await asyncio.sleep(0.04 + pause * 0.002)
    assert engine.counters.restarts == 0


async def test_a_switch_waits_for_what_runs_and_the_queue_for_the_switch(make, folder):
    engine = await make(slots=2)
    former = await ready(engine)
    running = [Reader(engine, "say=30 step=0.01", user) for user in "ab"]
    await eventually(lambda: all(reader.has(TokenText) for reader in running))
    waiting = Reader(engine, "say=2", "c")
    await eventually(lambda: engine.waiting == 1)
    switching = asyncio.create_task(engine.use("other"))
    again = asyncio.create_task(engine.use("other"))
    assert [await outcome(reader.task) for reader in running] == ["finished"] * 2
    assert not waiting.has(Prefill)
    await asyncio.gather(switching, again)
    assert await outcome(waiting.task) == "finished"
    assert (engine.status.name, loads(folder), engine.counters.restarts) == ("other", 2, 0)
    assert former != engine.worker_pid


async def test_a_reader_that_does_not_read_stalls_only_itself(make):
    engine = await make(slots=2)
    await ready(engine)
    text = "".join(f"t{n} " for n in range(1, 30_001))
    async with aclosing(engine.complete(ask("say=30000"))) as events:
        while not isinstance(first := await anext(events), TokenText):
            pass
        other = Reader(engine, "say=30000", "b")
        assert await outcome(other.task) == "finished"
        assert other.text == text
        assert engine.running == 1
        unread = await anext(events)
        assert len(unread.text) < UNREAD_LIMIT + PIPE  # what was on the way comes to it
        rest = [event async for event in events]
    whole = first.text + unread.text + "".join(e.text for e in rest if isinstance(e, TokenText))
    assert whole == text


async def test_a_paused_answer_can_be_cancelled(make):
    engine = await make()
    async with aclosing(engine.complete(ask("say=100000"))) as events:
        while not isinstance(await anext(events), TokenText):
            pass
        await asyncio.sleep(0.3)
    assert engine.running == 0


@pytest.mark.parametrize("command", ["wait=9", "say=999 step=0.01"])
async def test_closing_frees_the_place_before_it_returns(make, command):
    engine = await make()
    await ready(engine)
    async with aclosing(engine.complete(ask(command))) as events:
        await anext(events)
        begun = time.monotonic()
    assert engine.running == 0
    assert time.monotonic() - begun < SOON


async def test_a_worker_that_ignores_a_cancel_holds_nobody_up(make, monkeypatch):
    monkeypatch.setattr("xnai.llm.engine.process.CANCEL_SECONDS", 0.1)
    engine = await make()
    await ready(engine)
    async with aclosing(engine.complete(ask("deaf say=9999 step=0.01"))) as events:
        await anext(events)
        begun = time.monotonic()
    assert time.monotonic() - begun < SOON
    assert engine.running == 1  # the worker has not confirmed it
    assert await outcome(collect(engine.complete(ask()))) == "finished"
    assert engine.counters.restarts == 1


async def test_an_answer_that_nobody_reads_frees_its_place_at_its_deadline(make):
    engine = await make()
    await ready(engine)
    async with aclosing(engine.complete(ask("say=9999 step=0.01", seconds=2))) as events:
        await anext(events)
        await eventually(lambda: engine.running == 0)
        with pytest.raises(XnaiError, match="not finished within"):
            async for _ in events:
                pass


async def test_a_turn_that_nobody_takes_is_given_on_at_its_deadline(make):
    engine = await make()
    await ready(engine)
    first = Reader(engine, "say=20 step=0.01", "a")
    await eventually(lambda: first.has(TokenText))
    async with aclosing(engine.complete(ask("", "b", seconds=2))) as events:
        assert isinstance(await anext(events), Queued)
        third = Reader(engine, "", "c")
        assert await outcome(third.task) == "finished"
        with pytest.raises(XnaiError, match="not finished within"):
            await anext(events)


async def test_two_hundred_closings_at_random_moments_lose_no_place(make):
    engine = await make(slots=4)
    await ready(engine)

    async def closed_after(seconds: float) -> None:
        reader = Reader(engine, "wait=0.05 say=20 step=0.005", str(seconds)[-1])
        await asyncio.sleep(seconds)
        reader.task.cancel()
        await asyncio.wait({reader.task})

    for start in range(0, 200, 20):
        delays = [((start + n) * 37 % 200) / 1000 for n in range(20)]
        await asyncio.gather(*map(closed_after, delays))
    await eventually(lambda: engine.running == engine.waiting == 0)
    outcomes = await asyncio.gather(*(outcome(collect(engine.complete(ask()))) for _ in range(8)))
    assert (outcomes, engine.counters.restarts) == (["finished"] * 8, 0)
