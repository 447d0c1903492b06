"""Every question of the page and of the API is one line of the audit log, however it ends."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest
from stream_pages import SLOW, Page, first_text, prepared, worker_of
from ui_client import tidy_up

from rig.page import STORY, figure
from rig.waiting import eventually

pytestmark = pytest.mark.engine

URL = "/v1/chat/completions"
SHORT = {"messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 4, "retrieval": False}
NOTE = b"Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987."


class Log:
    """The audit log of a server."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "data" / "audit.jsonl"
        self._accounts = folder / "data" / "accounts.json"

    @property
    def person(self) -> str:
        """The one local person, on the page and over the API."""
        (row,) = json.loads(self._accounts.read_text())["people"]
        return row["person_id"]

    def lines(self, action: str = "question") -> list[dict]:
        found = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [line for line in found if line["action"] == action]

    async def next(self, before: int, action: str = "question") -> dict:
        """The line that follows so many; that there is no second one is looked at in the end."""
        await eventually(lambda: len(self.lines(action)) > before, f"line {before + 1}")
        line: dict = self.lines(action)[before]
        return line


@pytest.fixture(scope="module")
def audited(server, tmp_path_factory):
    running = prepared(server, tmp_path_factory.mktemp("audit"), XNAI_AUDIT="on")
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


@pytest.fixture
def log(audited):
    return Log(audited.folder)


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


@pytest.fixture
async def http(audited):
    async with httpx.AsyncClient(base_url=audited.url, timeout=60) as client:
        yield client


async def test_an_answer_of_the_api_with_a_document(audited, http, log):
    file_id = await asyncio.to_thread(audited.upload, "lamp-of-norwick.txt", NOTE)
    before = len(log.lines())
    body = {
        "messages": [{"role": "user", "content": "When was the lamp of Norwick replaced?"}],
        "retrieval": {"document_ids": [file_id]},
    }
    answer = await http.post(URL, json=body, headers={"X-Request-ID": "asked-1"})
    line = await log.next(before)

    assert answer.status_code == httpx.codes.OK
    assert (line["outcome"], line["who"], line["via"]) == ("completed", log.person, "api")
    assert (line["documents"], line["request_id"]) == ([file_id], "asked-1")
    assert line["completion_tokens"] == answer.json()["usage"]["completion_tokens"]
    text = json.dumps(line)
    assert not [word for word in ("lamp", "Norwick", "1987") if word in text]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"retrieval": {"document_ids": ["0" * 32]}}, ("refused", "not_found")),
        ({"model": "no-such-model"}, ("refused", "model_not_found")),
        (
            {"messages": [{"role": "user", "content": "word " * 20_000}]},
            ("failed", "question_too_long"),
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_question_of_the_api_that_fails(http, log, changes, expected, stream):
    before = len(log.lines())
    answer = await http.post(URL, json={**SHORT, **changes, "stream": stream})
    line = await log.next(before)

    assert answer.is_client_error
    assert (line["outcome"], line["error"]) == expected


@pytest.mark.parametrize("wait", [0.0, 0.02, 1.0])
async def test_a_client_of_the_api_that_goes(audited, http, log, wait):
    before = len(log.lines())
    gone = asyncio.create_task(http.post(URL, json=SLOW))
    await eventually(lambda: figure(audited, "xnai_streams_active") == 1, "the answer")
    await asyncio.sleep(wait)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    assert (await log.next(before))["outcome"] == "disconnected"


async def test_what_a_key_holder_or_a_program_did_with_documents(audited, http, log):
    uploads, deletions = len(log.lines("upload")), len(log.lines("delete"))
    file_id = await asyncio.to_thread(audited.upload, "to-go.txt", b"This one goes again.")
    (line,) = log.lines("upload")[uploads:]
    await http.delete(f"/v1/files/{file_id}")
    deleted = await log.next(deletions, "delete")
    refused = await http.post("/v1/files", files={"file": ("noise.pdf", bytes(range(256)))})
    third = await log.next(uploads + 1, "upload")

    assert (line["who"], line["owner"], line["outcome"]) == (log.person, log.person, "accepted")
    assert (line["document"], line["bytes"]) == (file_id, 20)
    assert (deleted["document"], deleted["who"]) == (file_id, log.person)
    assert (third["outcome"], third["error"]) == ("refused", refused.json()["error"]["code"])
    assert "to-go" not in json.dumps(line)


async def test_what_an_operator_did_with_a_breaker(http, log):
    before = len(log.lines("breaker"))
    for action in ("open", "reset"):
        body = {"action": action, "reason": "maintenance"}
        (await http.post("/v1/breakers/embedder", json=body)).raise_for_status()
    await log.next(before + 1, "breaker")

    lines = log.lines("breaker")[before:]

    assert [(n["name"], n["set"], n["reason"], n["who"]) for n in lines] == [
        ("embedder", "open", "maintenance", log.person),
        ("embedder", "reset", "maintenance", log.person),
    ]


@pytest.mark.parametrize("end", ["completed", "stopped", "disconnected"])
async def test_an_answer_of_the_page(audited, log, end):
    before = len(log.lines())
    page = await Page(audited).open()
    if end == "completed":
        await page.ask("Say yes.", max_tokens=3)
    else:
        await page.ask(STORY)
        await page.until(lambda: len(page.answer()) > 20, "some text")
        await (page.emit("stop") if end == "stopped" else page.close())

    line = await log.next(before)

    assert (line["outcome"], line["who"], line["via"]) == (end, log.person, "page")
    assert line["thread"] == page.thread


async def test_a_file_of_the_page_is_an_upload_and_the_question_with_it_one_line(audited, log):
    questions, uploads = len(log.lines()), len(log.lines("upload"))
    page = await Page(audited).open()
    await page.ask("", NOTE)
    await page.until(lambda: page.has("Ready to be asked"), "what was read")
    upload = await log.next(uploads, "upload")
    assert len(log.lines()) == questions
    await page.ask("When was the lamp replaced?")
    question = await log.next(questions)

    assert (upload["who"], upload["owner"]) == (log.person, log.person)
    assert upload["collection"] == f"thread:{page.thread}"
    assert question["documents"] == [upload["document"]]


async def test_a_log_that_cannot_be_written_fails_no_question_and_is_told(server, tmp_path):
    (tmp_path / "data" / "audit.jsonl").mkdir(parents=True)
    running = prepared(server, tmp_path, XNAI_AUDIT="on")
    running.start()
    try:
        await asyncio.to_thread(running.wait, model="ready")
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            answers = [await client.post(URL, json=SHORT) for _ in range(2)]
        health = await asyncio.to_thread(running.health)
    finally:
        running.stop()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (health["status"], health["audit"]["error_code"]) == ("ready", "audit_unwritable")
    assert running.log.count("the audit log is not written") == 1


async def test_answers_whose_model_crashes(audited, http, log):
    before = len(log.lines())
    async with http.stream("POST", URL, json=SLOW) as response:
        pieces = response.aiter_lines()
        await first_text(pieces)  # from now on it is not tried again
        worker_of(audited).kill()
        assert "data: [DONE]" in [piece async for piece in pieces]
    line = await log.next(before)

    assert (line["outcome"], line["error"]) == ("failed", "model_crashed")
    await asyncio.to_thread(audited.wait, model="ready")


async def test_answers_that_run_when_the_server_ends(server, tmp_path):
    running = prepared(server, tmp_path, XNAI_AUDIT="on", XNAI_SLOTS="2")
    running.start()
    try:
        await asyncio.to_thread(running.wait, model="ready")
        page = await Page(running).open()
        await page.ask(STORY)
        await page.until(lambda: len(page.answer()) > 20, "some text")
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            asked = asyncio.create_task(client.post(URL, json={**SLOW, "stream": False}))
            await eventually(lambda: figure(running, "xnai_streams_active") == 2, "two answers")
            running.process.send_signal(signal.SIGTERM)
            await asyncio.gather(asked, return_exceptions=True)
        await asyncio.to_thread(running.process.wait, 40)
    finally:
        running.stop()

    lines = Log(running.folder).lines()
    assert sorted((line["via"], line["outcome"]) for line in lines) == [
        ("api", "shut_down"),
        ("page", "shut_down"),
    ]


def test_nothing_of_all_that_has_two_lines(log):
    """Last, when a second line of anything above has had its time to come."""
    for action in ("question", "upload"):
        seen = Counter(line["request_id"] for line in log.lines(action))
        assert seen
        assert set(seen.values()) == {1}
