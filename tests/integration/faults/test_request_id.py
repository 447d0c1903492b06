"""One id for one request: on the page, in the body, in the header, and in the log."""

import json
import re
import uuid

import pytest
from fault_server import client_of, door
from steps import Judge, Visit, enter, say, tab_of

pytestmark = pytest.mark.engine


def lines(server, request_id):
    found = [json.loads(line) for line in server.log.splitlines() if request_id in line]
    return [line for line in found if line.get("request_id") == request_id]


async def test_a_question_of_the_page_has_one_id_on_the_page_and_in_the_log(server):
    judge = Judge()
    async with client_of(server) as client:
        (await client.post("/auth/header")).raise_for_status()
        visit = Visit(server, client, judge)
        async with tab_of(visit) as tab:
            await enter(visit, tab)
            await door(client, "Model.complete", "runtime")
            question = await say(visit, tab, "hello")
            await door(client)
    shown = {d["output"] for n, d in tab.events if n == "new_message" and d.get("isError")}
    (message,) = shown
    request_id = re.search(r"internal · ([0-9a-f]{32})", message)[1]
    logged = lines(server, request_id)
    assert {"request failed unexpectedly", "stream ended"} <= {line["event"] for line in logged}
    (ended,) = [line for line in logged if line["event"] == "stream ended"]
    assert (ended["state"], ended["message"]) == ("failed", question)
    assert all(re.search(r"T[0-9:.]+Z$", line["timestamp"]) for line in logged)
    assert judge.problems == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_request_of_a_program_has_one_id_everywhere(server, stream):
    request_id = f"mine-{uuid.uuid4()}"
    messages = [{"role": "user", "content": "hello"}]
    body = {"messages": messages, "retrieval": False, "stream": stream}
    async with client_of(server, headers={"X-Request-ID": request_id}) as client:
        await door(client, "Model.complete", "model", later=True)
        answer = await client.post("/v1/chat/completions", json=body)
        await door(client)
    text = answer.text.split("\n\n")[-3].removeprefix("data: ") if stream else answer.text
    error = json.loads(text)["error"]
    assert (error["code"], error["category"], error["causes"]) == ("model_crashed", "model", [])
    assert error["request_id"] == answer.headers["X-Request-ID"] == request_id
    events = {line["event"]: line for line in lines(server, request_id)}
    assert events["request failed"]["code"] == "model_crashed"
    assert events["stream ended"]["message"] == request_id
