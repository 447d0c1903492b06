"""The audit log: lines in a file of their owner's alone, whatever becomes of the disk."""

import asyncio
import json
import os
import re
import resource

import pytest
import structlog
from paths import ROOT

from rig.waiting import eventually
from xnai.answering.events import Degraded, Done, Reduced, Retrieved, Token
from xnai.answering.streams import Stream, Streams, StreamState
from xnai.answering.summary import Account
from xnai.errors import FILE_DAMAGED, SHUTTING_DOWN, XnaiError
from xnai.observability.audit import AuditFile, AuditLog
from xnai.settings import Settings
from xnai.types import Citation, Passage, Usage


def settings(folder, **changes):
    return Settings(_env_file=None, data_dir=folder, **{"audit": "on", **changes})


@pytest.fixture
async def opened(tmp_path):
    """An audit log that writes; what is changed are settings."""
    logs = []

    def make(**changes) -> AuditLog:
        log = AuditLog(settings(tmp_path, **changes))
        log.start()
        logs.append(log)
        return log

    yield make
    for log in logs:
        await log.close()


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


async def test_a_line_says_what_who_when_and_in_which_request(opened, tmp_path):
    log = opened()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        log.record("breaker", who="key:1", name="model", set="open")
    await log.flush()

    (line,) = lines(tmp_path)

    assert line.pop("time").endswith("Z")
    assert line == {
        "action": "breaker", "who": "key:1", "request_id": "r1", "name": "model", "set": "open",
    }  # fmt: skip


async def test_only_its_owner_may_read_it(opened, tmp_path):
    log = opened(audit_max_mb=1, audit_files=1)
    for _ in range(300):
        log.record("upload", reason="x" * 8000)
    await log.flush()

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("audit*")}

    assert modes == {"audit.jsonl": 0o600, "audit.jsonl.1": 0o600}


async def test_it_is_rotated_by_size_and_the_newest_are_kept(opened, tmp_path):
    log = opened(audit_max_mb=1, audit_files=2)
    for number in range(500):
        log.record("upload", number=number, reason="x" * 8000)
    await log.flush()

    paths = sorted(tmp_path.glob("audit*"), key=lambda path: path.name)
    read = [[json.loads(line)["number"] for line in p.read_text().splitlines()] for p in paths]

    assert [path.name for path in paths] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    assert all(path.stat().st_size <= 1_000_000 for path in paths)
    newest_last = [*read[2], *read[1], *read[0]]
    assert newest_last == list(range(newest_last[0], 500))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"audit": "auto"}, "off"),
        ({"audit": "auto", "api_keys": "first-key-of-tests"}, "ready"),
        ({"audit": "auto", "audit_content": True}, "ready"),
        ({"audit": "off", "api_keys": "first-key-of-tests"}, "off"),
        ({"audit": "on"}, "ready"),
    ],
)
async def test_it_is_on_where_others_ask_or_it_is_wished(opened, tmp_path, changes, state):
    log = opened(**changes)
    log.record("upload")
    await log.flush()

    assert log.state.state == state
    assert (tmp_path / "audit.jsonl").exists() == (state == "ready")


@pytest.mark.slow
async def test_a_file_that_cannot_be_written_is_told_once_and_lines_wait(opened, tmp_path, capfd):
    structlog.reset_defaults()
    path = tmp_path / "audit.jsonl"
    path.mkdir()
    log = opened()
    for number in range(3):
        log.record("upload", number=number)
    await log.flush()

    told = capfd.readouterr().out
    assert (log.state.state, log.state.error_code) == ("down", "audit_unwritable")
    assert told.count("the audit log is not written") == 1

    path.rmdir()
    await eventually(path.is_file)
    await log.flush()
    assert [line["number"] for line in lines(tmp_path)] == [0, 1, 2]
    assert (log.state.state, log.state.error_code) == ("ready", "")


async def test_of_a_full_disk_no_half_line_stays(opened, tmp_path):
    log = opened()
    log.record("upload", number=0)
    await log.flush()
    before = (tmp_path / "audit.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 50, limits[1]))
    try:
        log.record("upload", number=1, reason="x" * 500)
        await log.flush()
        assert log.state.state == "down"
        assert (tmp_path / "audit.jsonl").stat().st_size == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await log.close()
    assert [line["number"] for line in lines(tmp_path)] == [0, 1]


async def test_lines_beyond_what_can_wait_are_counted(opened, tmp_path):
    (tmp_path / "audit.jsonl").mkdir()
    log = opened()
    for number in range(1010):
        log.record("upload", number=number)
    await log.flush()

    assert log.state.lost == 10


def test_a_line_that_a_crash_cut_off_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"action": "upl')
    file = AuditFile(path, 1, 1)

    file.open()
    file.append(b'{"action": "delete"}\n')
    file.close()

    assert path.read_bytes() == b'{"action": "upl\n{"action": "delete"}\n'


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path):
    path = tmp_path / "audit.jsonl"
    file = AuditFile(path, 1, 1)
    for line in (b"one\n", b"two\n"):
        file.open()
        file.append(line)
        path.rename(tmp_path / line.decode().strip())
    file.close()

    assert [(tmp_path / name).read_bytes() for name in ("one", "two")] == [b"one\n", b"two\n"]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_plain_file_is_not_written_to(tmp_path, kind):
    path = tmp_path / "audit.jsonl"
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)

    with pytest.raises(OSError, match=r"symbolic|plain"):
        AuditFile(path, 1, 1).open()


PASSAGE = Passage("d1", "dismissal of Ms Holm.pdf", 1, 0, 4, "text", 1.0)
CITED = Citation(1, "d1", "dismissal of Ms Holm.pdf", 1, 0, 4, "text", 1.0)
DONE = Done("stop", Usage(12, 3), (CITED,), 0.5)
ASKED = "Why was Ms Holm dismissed?"


async def answered(log: AuditLog, tmp_path, events, end=None, question=ASKED) -> dict:
    """The line of a question whose answer has these events and ends so."""
    stream = Stream("page", owner="key:1", message="m", thread="t", account=Account(question))

    def answer() -> None:
        with Streams(log).run(stream):
            for event in events:
                stream.see(event)
            if end is not None:
                raise end

    if end is None:
        answer()
    else:
        with pytest.raises(type(end)):
            answer()
    await log.flush()
    (line,) = lines(tmp_path)
    return line


async def test_a_question_is_noted_without_its_words(opened, tmp_path):
    events = [Retrieved((PASSAGE,), 0.1), Token("She was late."), DONE]

    line = await answered(opened(), tmp_path, events)

    assert (line["action"], line["who"], line["thread"]) == ("question", "key:1", "t")
    assert (line["outcome"], line["error"]) == ("completed", None)
    assert (line["documents"], line["cited"]) == (["d1"], ["d1"])
    assert (line["prompt_tokens"], line["completion_tokens"]) == (12, 3)
    assert line["seconds"] >= 0
    assert not [word for word in ("Holm", "late", "text") if word in json.dumps(line)]


async def test_every_field_of_a_question_is_documented(opened, tmp_path):
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    line = await answered(opened(audit_content=True), tmp_path, [DONE])

    assert set(line) == documented


async def test_content_is_kept_if_that_is_wished(opened, tmp_path):
    events = [Retrieved((PASSAGE,), 0.1), Token("She was "), Token("late."), DONE]

    line = await answered(opened(audit_content=True), tmp_path, events)

    assert (line["question"], line["answer"]) == (ASKED, "She was late.")
    assert line["file_names"] == {"d1": PASSAGE.file_name}


@pytest.mark.parametrize(
    ("events", "end", "expected"),
    [
        ([], XnaiError(FILE_DAMAGED, name="secret.pdf", reason="x"), ("failed", "file_damaged")),
        ([], KeyError("secret"), ("failed", "internal")),
        ([], asyncio.CancelledError(), ("disconnected", None)),
        ([], XnaiError(SHUTTING_DOWN), ("shut_down", "shutting_down")),
    ],
)
async def test_the_end_of_a_question_is_noted(opened, tmp_path, events, end, expected):
    line = await answered(opened(), tmp_path, events, end)

    assert (line["outcome"], line["error"]) == expected
    assert "secret" not in json.dumps(line)


async def test_what_an_answer_did_without_is_noted(opened, tmp_path):
    reason = XnaiError(SHUTTING_DOWN)
    events = [Reduced("text_only", reason), Degraded("passages_only", reason, None), DONE]

    line = await answered(opened(), tmp_path, events)

    assert (line["outcome"], line["degraded"]) == ("completed", "passages_only")
    assert (line["reduced"], line["error"]) == (["text_only"], "shutting_down")


async def test_a_question_that_is_refused_since_the_server_ends_is_noted(opened, tmp_path):
    log = opened()
    streams = Streams(log)
    await streams.close()
    stream = Stream("api", owner="me", message="m", account=Account(ASKED))

    with pytest.raises(XnaiError), streams.run(stream):
        pass

    await log.flush()
    (line,) = lines(tmp_path)
    assert (line["outcome"], line["error"]) == ("refused", "shutting_down")


async def test_a_message_without_a_question_is_no_line(opened, tmp_path):
    log = opened()
    with Streams(log).run(Stream("page", owner="me", message="m", account=Account(" "))):
        pass
    await log.flush()

    assert lines(tmp_path) == []


async def test_the_stream_of_a_question_that_was_stopped_is_noted_so(opened, tmp_path):
    log, begun, made = opened(), asyncio.Event(), []

    async def work() -> None:
        stream = Stream("page", owner="me", message="m", account=Account(ASKED))
        made.append(stream)
        with Streams(log).run(stream):
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    made[0].cancel(StreamState.STOPPED)
    await asyncio.gather(task, return_exceptions=True)
    await log.flush()

    assert [line["outcome"] for line in lines(tmp_path)] == ["stopped"]
