"""Frames, and how the end of a worker is put into words."""

import asyncio
import io
import signal

import pytest

from xnai.llm import hardware, ipc
from xnai.llm.engine import launch
from xnai.llm.engine.launch import Death, explain_exit
from xnai.llm.ipc import (
    Complete,
    CountTexts,
    Ended,
    Figures,
    Pause,
    Refused,
    StepTexts,
    Text,
    TokenCounts,
    WorkerConfig,
)
from xnai.processes.frames import FrameError
from xnai.types import Message, Sampling, TokenLogprob

FIGURES = Figures(1, 2, 3, prefill_seconds=0.5, decode_seconds=2.0)
TOKEN = TokenLogprob("é", b"\xc3", -0.5, (TokenLogprob("e", b"e", -1.0),))


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + body


async def received(*data: bytes):
    reader = asyncio.StreamReader()
    reader.feed_data(b"".join(data))
    reader.feed_eof()
    found = []
    while (frame := await ipc.read_async(reader)) is not None:
        found.append(frame)
    return found


@pytest.mark.parametrize(
    "frame",
    [
        Complete(1, (Message("user", "What?"),), Sampling(stop=("a", "b"), seed=3)),
        CountTexts(2, ("a", "b\udcff")),
        Pause(3),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_arrives_at_the_worker_as_it_was_sent(frame):
    assert frame == ipc.read(io.BytesIO(ipc.encode(frame)))


async def test_frames_of_the_worker_are_read_from_a_stream_until_its_end():
    frames = [
        StepTexts((Text(1, "a", (TOKEN,)), Text(2, "b"))),
        Refused(4, "internal", {"limit": 3, "reason": "so"}, FIGURES),
        Ended(1, "stop", FIGURES),
        TokenCounts(2, (3, 4)),
    ]
    assert frames == await received(*map(ipc.encode, frames))


@pytest.mark.parametrize("kept", [0, 3, 4, 9])
def test_a_stream_that_ends_in_a_frame_has_ended(kept):
    assert ipc.read(io.BytesIO(ipc.encode(Pause(1))[:kept])) is None


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{x",
        b"{}",
        b'{"Pause":{"id":1}}',  # what the server alone may say
        b'{"Beat":[1]}',
        b'{"Beat":{}}',
        b'{"Beat":{"step_seconds":"long"}}',
        b'{"Beat":{"step_seconds":1,"more":1}}',
        b'{"Beat":{"step_seconds":1},"LoadProgress":{"progress":1}}',
        b'{"Tokenising":{"id":true}}',
        b'{"TokenCounts":{"id":1,"counts":{"0":1}}}',
        b'{"StepTexts":{"texts":[{"id":1,"text":null}]}}',
        b'{"Refused":{"id":1,"code":"a","values":{"a":[]}}}',
        b'{"Ended":{"id":1,"reason":"bored","figures":{}}}',
    ],
)
async def test_what_a_worker_may_not_say_is_refused(body):
    with pytest.raises(FrameError):
        await received(framed(body))


async def test_a_frame_that_is_nested_without_end_is_refused():
    with pytest.raises(FrameError):
        await received(framed(b"[" * 100_000))


async def test_a_frame_that_is_too_long_is_refused_unread():
    with pytest.raises(FrameError):
        await received(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("code", "last_line", "death"),
    [
        (-signal.SIGSEGV, "", Death("segfault", "it crashed (SIGSEGV)")),
        (-signal.SIGABRT, "GGML_ASSERT(x)", Death("abort", "it gave up (SIGABRT): GGML_ASSERT(x)")),
        (1, "ImportError: x", Death("exit", "it ended with exit code 1: ImportError")),
        (1, "of a prompt: secret", Death("exit", "it ended with exit code 1")),
        (0, "", Death("exit", "it ended with exit code 0")),
        (-signal.SIGTERM, "", Death("killed", "it was killed (SIGTERM)")),
        (-99, "", Death("killed", "it was killed (signal 99)")),
    ],
)
def test_the_end_of_a_worker_is_put_into_words(code, last_line, death):
    assert death == explain_exit(code, last_line)


@pytest.mark.parametrize(
    ("kills", "death"),
    [
        (1, Death("out_of_memory", "the system ended it (SIGKILL) for lack of memory")),
        (0, Death("killed", "it was killed (SIGKILL)")),
        (
            None,
            Death("killed", "it was killed (SIGKILL), perhaps by the system for lack of memory"),
        ),
    ],
)
def test_memory_is_blamed_as_far_as_the_system_counts(kills, death):
    assert death == explain_exit(-signal.SIGKILL, "", kills)


@pytest.mark.parametrize(
    ("membership", "place"),
    [
        ("0::/a/b", "a/b/memory.events"),
        ("4:cpu,memory:/c\n0::/", "memory/c/memory.oom_control"),
        ("0::/elsewhere", "memory.events"),
    ],
)
def test_kills_for_lack_of_memory_are_read_where_the_system_counts_them(
    monkeypatch, tmp_path, membership, place
):
    (tmp_path / "self").write_text(membership)
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("oom 9\noom_kill 3\n")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "_MEMBERSHIP", tmp_path / "self")
    assert hardware.oom_kills() == 3


def test_a_line_of_the_worker_reaches_the_log_without_control_characters():
    assert launch.log_line(b'{"level": "error", "text": "a\\u001bb"}\n', 1) == "a b"


async def test_a_line_that_is_too_long_does_not_stop_the_log():
    reader = asyncio.StreamReader(limit=16)
    reader.feed_data(b"x" * 100 + b"\nnext\n")
    reader.feed_eof()
    lines = []
    while line := await launch.read_line(reader):
        lines.append(line)
    assert b"".join(lines).decode()[-5:] == "next\n"


def test_a_configuration_survives_the_command_line():
    config = WorkerConfig(1, "a b\udcff.gguf", 2, 3, 4)
    assert config == WorkerConfig.from_json(config.to_json())


@pytest.mark.parametrize(
    ("size", "words"), [(12, "12 bytes"), (2_500_000, "2 MB"), (7_300_000_000, "7.3 GB")]
)
def test_sizes_are_put_into_words(size, words):
    assert words == hardware.human_size(size)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("max 100000", 64), ("", 64)])
def test_a_container_may_use_its_quota_of_cores(monkeypatch, quota, cores):
    monkeypatch.setattr(hardware, "_read", lambda _: quota)
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert cores == hardware.usable_cores()
