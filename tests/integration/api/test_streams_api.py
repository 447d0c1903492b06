"""Streams of the API on the wire: clients that go, errors half way, a server that ends."""

import asyncio
import json
import signal
import time

import httpx
import psutil
import pytest
from stream_pages import SLOW, first_text, logbook, long_question, prepared, worker_of

from rig.page import figure
from rig.waiting import eventually

pytestmark = pytest.mark.engine

URL = "/v1/chat/completions"


@pytest.fixture(scope="module")
def api_server(server, tmp_path_factory):
    running = prepared(server, tmp_path_factory.mktemp("api"))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


async def begin(client: httpx.AsyncClient, **changes: object) -> httpx.Response:
    request = client.build_request("POST", URL, json={**SLOW, **changes})
    return await client.send(request, stream=True)


async def drains(client: httpx.AsyncClient) -> bool:
    """Whether the server has heard that it is to stop."""
    ready = await client.get("/health/ready")
    return ready.status_code == httpx.codes.SERVICE_UNAVAILABLE


def ended(server, state: str) -> float:
    return figure(server, f'xnai_streams_ended_total{{state="{state}"}}')


@pytest.mark.parametrize("phase", ["queued", "prefill", "decoding"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_client_that_goes_frees_the_slot(api_server, phase, stream):
    before = ended(api_server, "disconnected")
    expected = before + 1
    async with httpx.AsyncClient(base_url=api_server.url, timeout=60) as client:
        holder = None
        if phase == "queued":
            holder = await begin(client)
            held = holder.aiter_lines()  # dropping the iterator would close the response
            await first_text(held)
            expected += 1
        body = {**SLOW, "stream": stream}
        if phase == "prefill":
            body["messages"] = [{"role": "user", "content": long_question()}]
        gone = asyncio.create_task(client.post(URL, json=body))
        if phase == "queued":
            await eventually(lambda: figure(api_server, "xnai_queue_depth") == 1, "the line")
        else:
            await eventually(lambda: figure(api_server, "xnai_streams_active") == 1, "the answer")
            await asyncio.sleep(0.4 if phase == "prefill" else 1.0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        if holder is not None:
            await eventually(lambda: figure(api_server, "xnai_queue_depth") == 0, "the place free")
            await holder.aclose()
        await eventually(lambda: figure(api_server, "xnai_streams_active") == 0, "the end")
        again = await client.post(URL, json={**SLOW, "stream": False, "max_tokens": 4})
    assert again.status_code == httpx.codes.OK
    assert ended(api_server, "disconnected") == expected


async def test_an_error_after_the_first_token_is_an_event_and_then_done(api_server):
    async with httpx.AsyncClient(base_url=api_server.url, timeout=60) as client:
        response = await begin(client)
        lines = response.aiter_lines()
        await first_text(lines)
        worker_of(api_server).kill()
        rest = [line async for line in lines if line.startswith("data: ")]
    assert rest[-1] == "data: [DONE]"
    error = json.loads(rest[-2][6:])["error"]
    assert error["code"] == "model_crashed"
    assert error["message"]


async def test_usage_comes_last_when_it_is_asked_for(api_server):
    async with httpx.AsyncClient(base_url=api_server.url, timeout=60) as client:
        options = {"include_usage": True}
        response = await begin(client, max_tokens=3, stream_options=options)
        lines = [line async for line in response.aiter_lines() if line.startswith("data: {")]
    assert json.loads(lines[-1][6:])["usage"]["completion_tokens"] >= 1
    assert all("usage" not in json.loads(line[6:]) or "error" in line for line in lines[:-1])


async def test_sigterm_refuses_new_answers_while_it_lets_one_finish(server, tmp_path):
    own = prepared(server, tmp_path, XNAI_DRAIN_SECONDS="18")
    own.start()
    own.wait(model="ready")
    family = psutil.Process(own.process.pid).children(recursive=True)
    async with httpx.AsyncClient(base_url=own.url, timeout=60) as client:
        response = await begin(client, max_tokens=150)
        lines = response.aiter_lines()
        await first_text(lines)
        own.process.send_signal(signal.SIGTERM)
        await eventually(lambda: drains(client), "the refusal of what is new")
        refused = await client.post(URL, json=SLOW)
        ready = await client.get("/health/ready")
        rest = [line async for line in lines if line.startswith("data: ")]
    code = await asyncio.to_thread(own.process.wait, 60)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["code"] == "shutting_down"
    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert rest[-1] == "data: [DONE]"
    assert "error" not in json.loads(rest[-2][6:])
    assert code == 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert list((own.folder / "data" / "tmp").iterdir()) == []


async def test_sigint_twice_ends_at_once_and_leaves_no_process(server, tmp_path):
    own = prepared(server, tmp_path, XNAI_DRAIN_SECONDS="18")
    own.start()
    own.wait(model="ready")
    family = psutil.Process(own.process.pid).children(recursive=True)
    async with httpx.AsyncClient(base_url=own.url, timeout=60) as client:
        response = await begin(client)
        lines = response.aiter_lines()
        await first_text(lines)
        own.process.send_signal(signal.SIGINT)
        await eventually(lambda: drains(client), "the refusal of what is new")
        assert own.process.poll() is None
        began = time.monotonic()
        own.process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(own.process.wait, 60)
    assert time.monotonic() - began < 15  # of the 18 that it may drain for
    assert code == 130
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


async def test_a_worker_killed_before_a_question_about_documents_costs_it_nothing(api_server):
    log_before = len(api_server.log)
    async with httpx.AsyncClient(base_url=api_server.url, timeout=120) as client:
        form = {"purpose": "assistants"}
        file = ("log.txt", logbook(10), "text/plain")
        uploaded = await client.post("/v1/files", data=form, files={"file": file})
        document = uploaded.raise_for_status().json()["id"]

        await eventually(
            lambda: (
                document in api_server.log and "document_processed" in api_server.log[log_before:]
            ),
            "the file",
            60,
        )
        worker_of(api_server).kill()
        response = await begin(
            client,
            messages=[{"role": "user", "content": "On which day was the ship Walrus7 seen?"}],
            retrieval={"document_ids": [document]},
        )
        lines = [line async for line in response.aiter_lines()]

    assert "data: [DONE]" in lines
    assert not any('"error"' in line for line in lines)
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert chunks[-1]["answer"]["outcome"] == "quoted"
    assert "Walrus7" in chunks[-1]["citations"][0]["quote"]
