"""Requests that cost much to read: very many messages, very long texts, texts that kill the model.

One person's may neither hold the event loop nor take the model from the others.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from api_server import client, program, serving
from fakes import ShelfLibrary
from frame_engine import OPTIONS, Reader, ask, loads, outcome, ready

from rig.queue_model import QueueModel
from rig.waiting import eventually
from xnai.answering import limits
from xnai.answering.events import Question
from xnai.answering.pipeline import Pipeline
from xnai.answering.prompt import build_prompt
from xnai.breakers import is_fault
from xnai.errors import QUESTION_KILLED_MODEL, XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.protocol import Prefill
from xnai.settings import Settings
from xnai.types import Message, Scope

CHAT = "/v1/chat/completions"
MESSAGE = {"role": "user", "content": "a"}


async def refusal(folder: Path, content: bytes | AsyncIterator[bytes]) -> tuple[int, str, str]:
    """Status, code and words; nothing may have been asked of the pipeline."""
    runtime = program(folder)
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(CHAT, content=content)
    assert runtime.pipeline.asked == []
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


async def test_ten_megabytes_of_messages_are_refused_by_their_size(tmp_path):
    body = json.dumps({"messages": [MESSAGE] * 260_000}).encode()
    assert await refusal(tmp_path, body) == (
        413,
        "body_too_large",
        "The request is larger than 1 MB.",
    )


async def test_a_body_that_tells_no_length_is_refused_while_it_arrives(tmp_path):
    sent = 0

    async def packets() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(160):
            sent += 65_536
            yield b" " * 65_536

    status, code, _ = await refusal(tmp_path, packets())
    assert (status, code) == (413, "body_too_large")


async def test_too_many_messages_are_refused_with_their_number(tmp_path):
    body = json.dumps({"messages": [MESSAGE] * 1_001}).encode()
    status, code, words = await refusal(tmp_path, body)
    assert (status, code, words) == (
        400,
        "bad_request",
        "There are 1,001 messages; at most 1,000 are taken.",
    )


async def test_as_many_messages_as_are_taken_are_answered(tmp_path):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(CHAT, json={"messages": [MESSAGE] * 1_000})
    assert response.status_code == 200
    assert len(runtime.pipeline.asked[0].history) == 999


@pytest.mark.parametrize(
    "value",
    [
        b"[" + b"[]," * 100_000 + b"[]]",
        b"[" + b"1," * 100_000 + b"1]",
        b"{" + b",".join(b'"%x":{}' % n for n in range(60_000)) + b"}",
    ],
    ids=["lists", "numbers", "keys"],
)
async def test_a_body_of_very_many_values_is_refused_before_it_is_parsed(tmp_path, value):
    body = b'{"messages":[{"role":"user","content":"a"}],"metadata":' + value + b"}"
    status, code, words = await refusal(tmp_path, body)
    assert (status, code, words) == (400, "bad_request", "The body holds too many values.")


@pytest.mark.parametrize(
    ("json_text", "too_many"),
    [
        (b'{"a": "' + b"[{," * 50 + b'"}', False),  # within a string
        (b'{"a": "\\"' + b"[{," * 50 + b'"}', False),
        (b'{"a": "\\\\"' + b",[" * 50, True),  # the string has ended
        (b'"' + b'\\"' * 50_000, False),  # one that never ends
        (b'"' + b"\\" * 50_001, False),
        (b"[" * 50, True),
    ],
)
def test_values_are_counted_outside_of_texts(json_text, too_many):
    assert limits.has_too_many_values(json_text, 10) is too_many


def test_the_limit_of_a_body_goes_with_the_context():
    found = [limits.body_limit(tokens) for tokens in (512, 8_192, 65_536, 10_000_000)]
    assert found == [2**20, 2**20, 4 * 2**20, 10 * 2**20]


async def test_one_long_list_of_wrong_ids_makes_one_error(tmp_path):
    body = {"messages": [MESSAGE], "retrieval": {"document_ids": [1] * 40_000}}
    status, code, words = await refusal(tmp_path, json.dumps(body).encode())
    assert (status, code) == (400, "bad_request")
    assert "document_ids" in words
    assert len(words) < 300


class Counting(QueueModel):
    """Notes how much it is given to tokenise."""

    counted = 0

    async def count_tokens(self, texts):
        self.counted += sum(map(len, texts))
        return await super().count_tokens(texts)

    async def count_prompt(self, messages):
        self.counted += sum(len(message.content) for message in messages)
        return await super().count_prompt(messages)


def question(text: str, **more: object) -> Question:
    return Question(text, "r1", "u1", scope=Scope("thread:1"), **more)


@pytest.mark.parametrize("more", [{}, {"system": "a" * 4_000_000}])
async def test_a_question_that_cannot_fit_is_neither_searched_for_nor_tokenised(more):
    model, library = Counting(), ShelfLibrary()
    text = "Why?" if more else "a" * 4_000_000
    with pytest.raises(XnaiError, match="at least 250000 tokens") as caught:
        async for _ in Pipeline(library, model).answer(question(text, **more)):
            pass
    assert caught.value.code == "question_too_long"
    assert (model.counted, library.queries) == (0, [])


async def test_of_a_very_long_history_only_what_may_fit_is_tokenised():
    model = Counting()
    history = tuple(Message("user", f"{n} " + "a" * 400) for n in range(1_000))
    asked = question("Why?", history=history)
    prompt = await build_prompt(model, asked, [])
    assert model.counted < 3 * limits.room(model.context_tokens)
    assert prompt.messages[-2].content.startswith("999 ")
    assert prompt.dropped == (f"the {1_000 - (len(prompt.messages) - 2)} oldest messages",)


@pytest_asyncio.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[Callable[..., LocalEngine]]:
    """Engines whose worker does what the question says."""
    bundled, engines = bundled_path(), []
    assert bundled is not None
    (tmp_path / "mine.gguf").symlink_to(bundled)

    async def make(slots: int, **options: object) -> LocalEngine:
        (tmp_path / "slots").write_text(str(slots))
        chosen = {"data_dir": tmp_path / "data", "models_dir": tmp_path, "model": "mine"}
        settings = Settings(_env_file=None, **chosen)
        engines.append(LocalEngine(settings, EngineBuild(settings), replace(OPTIONS, **options)))
        await engines[-1].start()
        await ready(engines[-1])
        return engines[-1]

    yield make
    for engine in engines:
        await engine.close()


@pytest.mark.parametrize("command", ["die=SIGSEGV", "exit=3", "stuck"])
async def test_a_question_that_kills_the_worker_is_not_tried_again(scripted, tmp_path, command):
    engine = await scripted(1, step_seconds=0.3)
    assert "question_killed_model" in await outcome(Reader(engine, command).task)
    assert await outcome(Reader(engine, "say=1", "b").task) == "finished"
    assert loads(tmp_path) == 2


async def test_who_was_read_beside_a_text_that_kills_the_tokeniser_is_tried_again(
    scripted, tmp_path
):
    engine = await scripted(4)
    others = [Reader(engine, "wait=0.6 say=2", user) for user in "abc"]
    await eventually(lambda: all(reader.has(Prefill) for reader in others))
    poison = Reader(engine, "toxic", "d")
    assert "question_killed_model" in await outcome(poison.task)
    assert [await outcome(reader.task) for reader in others] == ["finished"] * 3
    assert loads(tmp_path) == 2


def test_a_question_that_kills_the_worker_does_not_open_the_breaker_for_all():
    assert not is_fault(XnaiError(QUESTION_KILLED_MODEL, reason="it crashed"))
    assert not QUESTION_KILLED_MODEL.retryable


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[LocalEngine]:
    """The real one, taken for hung after one second."""
    folders = {"data_dir": tmp_path / "data", "models_dir": tmp_path / "models"}
    settings = Settings(_env_file=None, context=1024, **folders)
    running = LocalEngine(settings, EngineBuild(settings), WorkerOptions(hang_seconds=1.0))
    await running.start()
    await running.ensure_ready(time.monotonic() + 60)
    yield running
    await running.close()


@pytest.mark.engine
async def test_four_megabytes_without_a_blank_are_not_tokenised(engine):
    pid = engine.worker_pid
    text = "a" * 4_000_000
    with pytest.raises(XnaiError, match="at least 62500 tokens"):
        await engine.count_prompt([Message("user", text)])
    with pytest.raises(XnaiError, match="at least 62500 tokens"):
        async with aclosing(engine.complete(ask(text))) as events:
            async for _ in events:
                pass
    assert engine.worker_pid == pid


@pytest.mark.engine
async def test_who_counts_for_long_or_waits_for_that_is_not_taken_for_hung(engine):
    pid = engine.worker_pid
    long = [engine.count_tokens(["ab" * 500_000] * 2) for _ in range(3)]
    short = [engine.count_tokens(["Hello there"]) for _ in range(8)]
    counts = await asyncio.gather(*long, *short)
    assert [len(found) for found in counts] == [2] * 3 + [1] * 8
    assert engine.worker_pid == pid


@pytest.mark.engine
@pytest.mark.parametrize(
    "text", ["word " * 40_000, "a" * 200_000, "\n" * 200_000, "a b\n" * 50_000]
)
def test_a_long_text_is_cut_into_slices_that_are_the_text(text):
    from xnai.llm.worker.tokenizer import PROMPT_SLICE, slices  # noqa: PLC0415 - it needs the engine

    parts = list(slices(text, PROMPT_SLICE))
    assert "".join(parts) == text
    assert len(parts) < 2 + len(text) / (PROMPT_SLICE - 4_096)
    assert max(map(len, parts)) <= PROMPT_SLICE
