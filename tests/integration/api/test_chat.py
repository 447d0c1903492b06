import asyncio
import json
import time
from dataclasses import asdict

import openai
import pytest
from api_server import CITATION, DONE, client, program, serving

from rig.waiting import PATIENCE
from xnai.answering.events import Degraded, Prompted, Reading, Retrieved, Token, Waiting
from xnai.api import answer_stream
from xnai.errors import MODEL_CRASHED, MODEL_PREPARING, QUEUE_FULL, XnaiError
from xnai.types import Document, Message, Scope

PATH = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "How tall is it?"}]}
PREPARING = XnaiError(MODEL_PREPARING, detail="40 %")


def openai_client(url):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def sse_lines(text):
    return [block for block in text.split("\n\n") if block]


def document(runtime, document_id="d" * 32, **changes):
    owner = runtime.people.local.person_id
    record = Document(document_id, owner, "tower.pdf", "application/pdf", 9, "", 1.0, "processed")
    runtime.library.records[document_id] = record
    runtime.library.become(document_id, **changes)
    return document_id


async def test_the_openai_client_reads_an_answer_with_citations(tmp_path):
    async with serving(program(tmp_path)) as url, openai_client(url) as api:
        answer = await api.chat.completions.create(model="small", **ASK)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert (
        answer.model,
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    ) == ("small", 12, 2)
    assert [asdict(CITATION)] == answer.model_extra["citations"]


async def test_the_openai_client_streams_an_answer_with_usage_and_citations(tmp_path):
    async with serving(program(tmp_path)) as url, openai_client(url) as api:
        stream = await api.chat.completions.create(
            model="small", stream=True, stream_options={"include_usage": True}, **ASK
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == "Hello there"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 14)
    assert [asdict(CITATION)] == chunks[-1].model_extra["citations"]
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_last_chunk_before_done_has_the_citations_without_usage_too(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        text = (await http.post(PATH, json={**ASK, "stream": True})).text
    *_, last, done = sse_lines(text)
    assert done == "data: [DONE]"
    assert [asdict(CITATION)] == json.loads(last.removeprefix("data: "))["citations"]


async def test_sampling_system_history_and_text_parts_reach_the_pipeline(tmp_path):
    runtime = program(tmp_path)
    body = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "tall?"}],
            },
        ],
        "max_tokens": 5,
        "max_completion_tokens": 7,
        "temperature": 0,
        "top_p": 0.5,
        "seed": -1,
        "stop": "END",
        "some_future_field": {"x": 1},
    }
    async with serving(runtime) as url, client(url) as http:
        assert (await http.post(PATH, json=body)).status_code == 200
    question = runtime.pipeline.asked[0]
    assert question.text == "How\ntall?"
    assert question.system == "Be brief."
    assert (Message("user", "Hi"), Message("assistant", "Hello")) == question.history
    drawn = question.sampling
    assert (
        drawn.max_tokens,
        drawn.temperature,
        drawn.top_p,
        drawn.seed,
        drawn.stop,
    ) == (7, 0.0, 0.5, 2**32 - 1, ("END",))


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"tools": [{"type": "function"}]}, "Tools"),
        ({"n": 2}, "More than one answer"),
        ({"temperature": 3}, "temperature=3"),
        ({"retrieval": {"document_ids": []}}, "retrieval.document_ids"),
        ({"retrieval": "yes"}, "'retrieval'"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "Tool calls"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "'assistant'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    ],
)
async def test_what_is_not_supported_or_valid_is_refused_by_name(tmp_path, extra, named):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, **extra})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")
    assert named in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"messages":"\\ud800"}']
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(tmp_path, body):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post(PATH, content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


async def test_an_empty_question_is_refused(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        body = {"messages": [{"role": "user", "content": " \n"}]}
        response = await http.post(PATH, json=body)
    assert response.json()["error"]["code"] == "question_empty"


async def test_another_known_model_is_switched_to_and_an_unknown_one_is_named(tmp_path):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        await http.post(PATH, json={**ASK, "model": "large"})
        await http.post(PATH, json={**ASK, "model": "default"})
        response = await http.post(PATH, json={**ASK, "model": "gpt-4o"})
    assert runtime.model.used == ["large"]
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_without_documents_an_answer_is_plain_chat_and_with_them_it_is_not(tmp_path):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        await http.post(PATH, json=ASK)
        document_id = document(runtime)
        await http.post(PATH, json=ASK)
        await http.post(PATH, json={**ASK, "retrieval": False})
        wanted = {"document_ids": [document_id, document_id], "passages": 9}
        await http.post(PATH, json={**ASK, "retrieval": wanted})
    me = runtime.people.local.person_id
    assert [None, Scope(me, collection=""), None, Scope(me, (document_id,))] == [
        question.scope for question in runtime.pipeline.asked
    ]
    assert runtime.pipeline.asked[-1].passages == 9


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"owner": "somebody"}, 404, "not_found"),
        ({"status": "processing"}, 409, "document_busy"),
        ({"status": "error", "error_message": "No text."}, 422, "document_failed"),
    ],
)
async def test_a_document_that_cannot_be_searched_is_named(tmp_path, changes, status, code):
    runtime = program(tmp_path)
    document_id = document(runtime, **changes)
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, "retrieval": {"document_ids": [document_id]}})
    error = response.json()["error"]
    assert (status, code) == (response.status_code, error["code"])
    assert document_id in error["message"] or "tower.pdf" in error["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_passages_alone_are_a_503_with_the_time_of_the_next_attempt(tmp_path, stream):
    runtime = program(tmp_path)
    runtime.pipeline.script = [
        Retrieved((), 0.1),
        Degraded("passages_only", PREPARING, 41.2),
        Token("> quote [1]"),
        DONE,
    ]
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, "stream": stream})
    error = response.json()["error"]
    assert (response.status_code, response.headers["Retry-After"]) == (503, "42")
    assert (error["code"], error["retryable"]) == ("model_preparing", True)
    assert response.headers["X-Request-ID"] == error["request_id"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_full_queue_is_429_with_retry_after(tmp_path, stream):
    runtime = program(tmp_path)
    runtime.pipeline.script = [XnaiError(QUEUE_FULL, waiting=64)]
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
    assert int(response.headers["Retry-After"]) >= 1


async def test_an_error_after_the_first_token_is_an_event_of_the_stream(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [Token("Half"), XnaiError(MODEL_CRASHED, reason="signal 9")]
    async with serving(runtime) as url, openai_client(url) as api:
        stream = await api.chat.completions.create(model="small", stream=True, **ASK)
        seen = []
        with pytest.raises(openai.APIError, match="signal 9") as caught:
            async for chunk in stream:
                seen.append(chunk.choices[0].delta.content)  # noqa: PERF401
        async with client(url) as http:
            text = (await http.post(PATH, json={**ASK, "stream": True})).text
    assert seen == ["", "Half"]
    assert caught.value.code == "model_crashed"
    assert sse_lines(text)[-1] == "data: [DONE]"


async def test_an_unforeseen_error_in_a_stream_tells_nothing_of_its_cause(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [Token("Half"), RuntimeError("secret detail")]
    async with serving(runtime) as url, client(url) as http:
        text = (await http.post(PATH, json={**ASK, "stream": True})).text
    assert '"code":"internal"' in text
    assert "secret detail" not in text


async def test_position_reading_and_silence_are_comments_of_the_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(answer_stream, "KEEP_ALIVE_SECONDS", 0.05)
    runtime = program(tmp_path)
    runtime.pipeline.script = [
        Prompted(10, 100, ("2 passages",)),
        Waiting(2, 3.0),
        0.08,
        Reading(5, 10),
        Token("Hello"),
        DONE,
    ]
    async with serving(runtime) as url, client(url) as http:
        blocks = sse_lines((await http.post(PATH, json={**ASK, "stream": True})).text)
    comments = [block for block in blocks if block.startswith(":")]
    assert comments == [": queued 2 eta 3", ": waiting", ": reading 5/10"]
    assert json.loads(blocks[-2].removeprefix("data: "))["dropped"] == ["2 passages"]


async def test_a_stream_begins_in_time_while_nothing_is_heard_of_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(answer_stream, "COMMIT_SECONDS", 0.05)
    runtime = program(tmp_path)
    runtime.pipeline.script = [0.3, Degraded("passages_only", PREPARING, 9.0), DONE]
    async with (
        serving(runtime) as url,
        client(url) as http,
        http.stream("POST", PATH, json={**ASK, "stream": True}) as response,
    ):
        status = response.status_code
        blocks = sse_lines((await response.aread()).decode())
    assert status == 200
    assert json.loads(blocks[-2].removeprefix("data: "))["error"]["code"] == "model_preparing"


@pytest.mark.parametrize("before", [[], [Waiting(3, None)], [Reading(1, 9)], [Token("Hello")]])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_generator_is_closed_at_once_when_the_client_is_gone(tmp_path, before, stream):
    runtime = program(tmp_path)
    runtime.pipeline.script = [*before, 30.0, DONE]
    async with serving(runtime) as url:
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({**ASK, "stream": stream}).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.started.wait()
            await asyncio.sleep(0.05)
            left = time.monotonic()
            writer.transport.abort()
            closed = await runtime.pipeline.closed_at.get()
    assert closed - left < 5  # of the 30 seconds that the next event takes


async def test_a_stopping_server_takes_no_more_questions(tmp_path):
    runtime = program(tmp_path)
    runtime.accepting = False
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json=ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "shutting_down")


async def test_a_question_that_may_need_documents_waits_for_the_index(tmp_path):
    runtime = program(tmp_path)
    runtime.search_state.state = "starting"
    async with serving(runtime) as url, client(url) as http:
        grounded = await http.post(PATH, json=ASK)
        plain = await http.post(PATH, json={**ASK, "retrieval": False})
    assert (grounded.status_code, grounded.json()["error"]["code"]) == (503, "search_down")
    assert plain.status_code == 200
