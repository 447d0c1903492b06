"""``/v1/responses``, with the official client: its types are what is checked against."""

import asyncio
import json

import openai
import pytest
from api_server import CITATION, DONE, client, program, serving
from openai.types.responses import Response

from rig.waiting import PATIENCE
from xnai.answering.events import Degraded, Done, Reading, Retrieved, Token, Waiting
from xnai.errors import MODEL_CRASHED, MODEL_PREPARING, XnaiError
from xnai.types import Document, Passage, Scope, Usage

PATH = "/v1/responses"
PASSAGE = Passage("d" * 32, "tower.pdf", 3, 0, 15, "330 metres tall", 0.9)


def openai_client(url):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def validated(answer):
    """The answer, checked against the client's own types, which it does not do by itself."""
    return Response.model_validate(answer.to_dict(), strict=False)


async def a_store(runtime, **attributes):
    """A store of the local person with one document in it, and its id."""
    person = runtime.people.local
    record = Document("d" * 32, person.person_id, "tower.pdf", "application/pdf", 9, "", 1.0,
                      "processed")  # fmt: skip
    runtime.library.records[record.id] = record
    await runtime.index.put_document(record)
    library = await runtime.libraries.own(person)
    await runtime.libraries.keep(person, library.id, record.id, attributes)
    return library.id


@pytest.fixture
def runtime(tmp_path):
    made = program(tmp_path)
    made.pipeline.script = [
        Retrieved((PASSAGE,), 0.1), Waiting(1, None), Reading(1, 2), Token("It is "),
        Token("330 metres tall [1]."), DONE,
    ]  # fmt: skip
    return made


async def test_a_plain_question_is_answered(runtime):
    async with serving(runtime) as url, openai_client(url) as api:
        answer = await api.responses.create(
            model="small",
            input="How tall is it?",
            instructions="Be brief.",
            max_output_tokens=50,
            temperature=0.5,
            metadata={"a": "b"},
        )
    answer = validated(answer)
    assert answer.output_text == "It is 330 metres tall [1]."
    assert (answer.status, answer.model, answer.usage.total_tokens) == ("completed", "small", 14)
    assert (answer.instructions, answer.temperature, answer.metadata) == (
        "Be brief.",
        0.5,
        {"a": "b"},
    )
    asked = runtime.pipeline.asked[0]
    assert (asked.text, asked.system, asked.scope) == ("How tall is it?", "Be brief.", None)
    assert (asked.sampling.max_tokens, asked.sampling.temperature) == (50, 0.5)


async def test_the_tool_searches_stores(runtime):
    store = await a_store(runtime, year=1889)
    search = {"type": "file_search", "vector_store_ids": [store], "max_num_results": 3}
    async with serving(runtime) as url, openai_client(url) as api:
        answer = validated(
            await api.responses.create(
                model="small",
                input=[
                    {"role": "user", "content": "Which tower?"},
                    {
                        "type": "file_search_call",
                        "id": "fs_1",
                        "queries": [],
                        "status": "completed",
                    },
                    {
                        "type": "message",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "That of Paris."}],
                    },
                    {"role": "user", "content": [{"type": "input_text", "text": "How tall?"}]},
                ],
                tools=[search],
                include=["file_search_call.results"],
            )
        )
        for kind, ids in (("eq", ("d" * 32,)), ("ne", ())):
            filters = {"type": kind, "key": "year", "value": 1889}
            await api.responses.create(
                model="small", input="How tall?", tools=[{**search, "filters": filters}]
            )
            assert runtime.pipeline.asked[-1].scope.document_ids == ids
    call, message = answer.output
    assert (call.type, call.status, call.queries) == (
        "file_search_call",
        "completed",
        ["How tall?"],
    )
    assert (call.results[0].text, call.results[0].filename) == (PASSAGE.text, "tower.pdf")
    annotation = message.content[0].annotations[0]
    assert (annotation.type, annotation.file_id, annotation.index) == (
        "file_citation",
        CITATION.document_id,
        0,
    )
    assert annotation.model_extra["page"] == CITATION.page
    asked = runtime.pipeline.asked[0]
    assert [turn.content for turn in asked.history] == ["Which tower?", "That of Paris."]
    person = runtime.people.local.person_id
    assert (asked.scope, asked.passages) == (Scope(person, libraries=(store,)), 3)


async def test_a_stream_has_the_events_of_the_client_in_their_order(runtime):
    store = await a_store(runtime)
    search = {"type": "file_search", "vector_store_ids": [store]}
    async with (
        serving(runtime) as url,
        openai_client(url) as api,
        api.responses.stream(model="small", input="How tall?", tools=[search]) as stream,
    ):
        events = [event async for event in stream]
        final = await stream.get_final_response()
    names = list(dict.fromkeys(event.type for event in events))
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.output_text == "It is 330 metres tall [1]."
    assert [item.type for item in validated(final).output] == ["file_search_call", "message"]


async def test_an_answer_that_is_cut_says_so(runtime):
    runtime.pipeline.script = [Token("It is"), Done("length", Usage(1, 2), (), 0.1)]
    async with serving(runtime) as url, openai_client(url) as api:
        answer = validated(await api.responses.create(model="small", input="How tall?"))
        stream = await api.responses.create(model="small", input="How tall?", stream=True)
        last = [event async for event in stream][-1]
    assert (answer.status, answer.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")


async def test_errors_have_their_status_or_end_the_stream(runtime):
    preparing = XnaiError(MODEL_PREPARING, detail="40 %")
    async with serving(runtime) as url, openai_client(url) as api:
        for stream in (False, True):
            runtime.pipeline.script = [Degraded("passages_only", preparing, 9.0), DONE]
            with pytest.raises(openai.InternalServerError) as caught:
                await api.responses.create(model="small", input="How tall?", stream=stream)
            assert (caught.value.status_code, caught.value.code) == (503, "model_preparing")
        runtime.pipeline.script = [Token("It"), XnaiError(MODEL_CRASHED, reason="SIGSEGV")]
        stream = await api.responses.create(model="small", input="How tall?", stream=True)
        last = [event async for event in stream][-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.message.startswith("model_crashed: ")
    assert last.response.model_extra["details"]["code"] == "model_crashed"


async def test_a_client_that_goes_stops_the_answer(runtime):
    runtime.pipeline.script = [Token("Hello"), 60.0, DONE]
    async with serving(runtime) as url, client(url) as http:
        body = {"input": "How tall?", "stream": True}
        async with http.stream("POST", PATH, json=body) as response:
            async for line in response.aiter_lines():
                if "Hello" in line:
                    break
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.closed_at.get()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "'input'"),
        ({"input": []}, "'input'"),
        ({"input": [1]}, "type 'None'"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "function_call_output"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input_image"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "assistant"),
        ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "x", "background": True}, "background"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, "web_search"),
        ({"input": "x", "tools": {"type": "file_search"}}, "'tools'"),
        ({"input": "x", "tools": [{"type": "file_search"}]}, "vector_store_ids"),
        (
            {"input": "x", "tools": [{"type": "file_search", "vector_store_ids": []}]},
            "vector_store_ids",
        ),
        ({"input": "x", "max_output_tokens": 0}, "max_completion_tokens"),
        ({"input": "x", "temperature": 9}, "temperature"),
        ({"input": "x", "stream": "often"}, "stream"),
    ],
)
async def test_what_is_not_valid_is_named(runtime, fields, words):
    async with serving(runtime) as url, client(url) as http:
        answer = await http.post(PATH, content=json.dumps(fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_request")
    assert words in f"{error['message']} {error['hint']}"


async def test_what_is_not_there_is_not_found(runtime):
    async with serving(runtime) as url, client(url) as http:
        for fields in (
            {"tools": [{"type": "file_search", "vector_store_ids": ["0" * 32]}]},
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_file", "file_id": "0" * 32},
                            {"type": "input_text", "text": "How tall?"},
                        ],
                    }
                ]
            },
        ):
            answer = await http.post(PATH, json={"input": "How tall?", **fields})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert runtime.pipeline.asked == []
