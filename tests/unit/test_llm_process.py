"""Frames, and how the end of a worker is put into words."""

import asyncio
import io
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.llm import frames, launch, machine
from xnai.llm.config import WorkerConfig
from xnai.llm.launch import Death, explain_exit


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_a_frame_arrives_as_it_was_sent(frame):
    assert frame == frames.read(io.BytesIO(frames.encode(frame)))


@pytest.mark.parametrize("kept", [0, 3, 4, 9])
def test_a_stream_that_ends_in_a_frame_has_ended(kept):
    assert frames.read(io.BytesIO(frames.encode({"a": "long enough"})[:kept])) is None


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x02\0\0\0[]", b"\x02\0\0\0{x"])
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(frames.FrameError):
        frames.read(io.BytesIO(data))


async def test_frames_are_read_from_a_stream_until_its_end():
    reader = asyncio.StreamReader()
    reader.feed_data(frames.encode({"n": 1}) + frames.encode({"n": 2}))
    reader.feed_eof()
    assert [await frames.read_async(reader) for _ in range(3)] == [{"n": 1}, {"n": 2}, None]


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
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_MEMBERSHIP", tmp_path / "self")
    assert machine.oom_kills() == 3


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
    assert words == machine.human_size(size)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("max 100000", 64), ("", 64)])
def test_a_container_may_use_its_quota_of_cores(monkeypatch, quota, cores):
    monkeypatch.setattr(machine, "_read", lambda _: quota)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert cores == machine.usable_cores()
