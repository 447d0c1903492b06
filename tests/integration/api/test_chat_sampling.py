"""What a request says about drawing tokens, and what an answer says about its tokens."""

import json
import math
from dataclasses import replace

import openai
import pytest
from api_server import DONE, client, program, serving

from xnai.answering.events import Token, Waiting
from xnai.errors import GRAMMAR_INVALID, XnaiError
from xnai.types import Sampling, TokenLogprob, Usage

PATH = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "How tall is it?"}]}
SCHEMA = {"type": "object", "properties": {"höhe": {"type": "integer"}}, "required": ["höhe"]}
EIFFEL = TokenLogprob("Hello", b"Hello", -0.25, (TokenLogprob("Hi", b"Hi", -1.5),))
HALF = TokenLogprob("\ufffd", b"\xf0\x9f", -math.inf)


async def asked(tmp_path, **fields) -> Sampling:
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, **fields})
    assert response.status_code == 200, response.text
    return runtime.pipeline.asked[0].sampling


async def test_every_parameter_reaches_the_pipeline(tmp_path):
    values = {
        "temperature": 1.5,
        "top_k": 0,
        "top_p": 0.5,
        "min_p": 0.0,
        "repeat_penalty": 1.2,
        "presence_penalty": -2,
        "frequency_penalty": 0.5,
        "seed": 7,
        "stop": ["a", "b", "", "c"],
        "max_tokens": 9,
    }
    expected = Sampling(**{**values, "stop": ("a", "b", "c")})
    assert expected == await asked(tmp_path, **values, user="ann", n=1, store=True, metadata={})


async def test_what_a_request_leaves_open_is_the_default(tmp_path):
    settings = program(tmp_path).settings
    expected = Sampling(max_tokens=settings.max_tokens, temperature=settings.temperature)
    assert expected == await asked(tmp_path, top_k=None, response_format={"type": "text"})


async def test_the_answer_can_be_bound_to_a_schema_any_object_or_a_grammar(tmp_path):
    form = {"type": "json_schema", "json_schema": {"name": "h", "strict": True, "schema": SCHEMA}}
    assert json.loads((await asked(tmp_path, response_format=form)).json_schema) == SCHEMA
    any_object = await asked(tmp_path, response_format={"type": "json_object"})
    assert json.loads(any_object.json_schema) == {"type": "object"}
    assert (await asked(tmp_path, grammar='root ::= "a"')).grammar == 'root ::= "a"'


@pytest.mark.parametrize(
    ("fields", "logprobs"),
    [
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 20}, 20),
        ({"logprobs": False}, None),
        ({}, None),
    ],
)
async def test_log_probabilities_are_asked_for_with_so_many_alternatives(
    tmp_path, fields, logprobs
):
    assert (await asked(tmp_path, **fields)).logprobs == logprobs


@pytest.mark.parametrize(
    ("fields", "named", "expected"),
    [
        ({"temperature": -0.1}, "temperature", "greater than or equal to 0"),
        ({"temperature": "warm"}, "'warm'", "valid number"),
        ({"top_k": -1}, "top_k", "greater than or equal to 0"),
        ({"top_k": 2**31}, "top_k", "less than or equal to 2147483647"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"min_p": 1.5}, "min_p", "less than or equal to 1"),
        ({"repeat_penalty": 0}, "repeat_penalty", "greater than 0"),
        ({"presence_penalty": 2.5}, "presence_penalty", "less than or equal to 2"),
        ({"frequency_penalty": -3}, "frequency_penalty", "greater than or equal to -2"),
        ({"seed": 2**64}, "seed", "less than"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", "integer"),
        ({"stop": ["a"] * 5}, "stop", "at most 4 items"),
        ({"stop": [1]}, "stop.0", "valid string"),
        ({"stop": "x" * 501}, "stop.0", "at most 500 characters"),
        ({"n": 2}, "More than one answer", "Leave out 'n'"),
        ({"logprobs": 3}, "logprobs=3", "valid boolean"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
        ({"top_logprobs": 2}, "without 'logprobs'", '"logprobs": true'),
        ({"response_format": {"type": "xml"}}, "response_format.type", "'json_object'"),
        ({"response_format": "json"}, "response_format", "an object"),
        ({"response_format": {"type": "json_schema"}}, "json_schema' is missing", "json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": []}}},
            "response_format.json_schema.schema",
            "an object",
        ),
        ({"grammar": ""}, "grammar", "at least 1 character"),
        (
            {"grammar": "root ::= x", "response_format": {"type": "json_object"}},
            "exclude each other",
            "Leave out one",
        ),
        ({"user": 5}, "user=5", "valid string"),
    ],
)
async def test_a_bad_value_is_named_with_what_was_expected(tmp_path, fields, named, expected):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, **fields})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "bad_request")
    assert named in error["message"]
    assert expected in error["hint"]


@pytest.mark.parametrize("text", ['{"temperature": NaN}', '{"top_p": Infinity}'])
async def test_numbers_that_are_none_are_refused(tmp_path, text):
    body = json.dumps(ASK)[:-1] + ", " + text[1:]
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post(PATH, content=body)
    assert response.status_code == 400


@pytest.mark.parametrize("stream", [True, False])
async def test_a_grammar_that_the_worker_refuses_is_a_bad_request(tmp_path, stream):
    runtime = program(tmp_path)
    runtime.pipeline.script = [XnaiError(GRAMMAR_INVALID, form="grammar", reason="no rule 'root'")]
    async with serving(runtime) as url, client(url) as http:
        response = await http.post(PATH, json={**ASK, "grammar": "x", "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "grammar_invalid")
    assert "no rule 'root'" in response.json()["error"]["message"]


def with_tokens(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [
        Waiting(1, None),
        Token("Hello", (EIFFEL,)),
        Token("", (HALF,)),
        Token(" [1]"),
        replace(DONE, usage=Usage(12, 2, 10)),
    ]
    return runtime


async def test_the_openai_client_reads_log_probabilities_and_cached_tokens(tmp_path):
    async with (
        serving(with_tokens(tmp_path)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as api,
    ):
        answer = await api.chat.completions.create(
            model="small", logprobs=True, top_logprobs=1, **ASK
        )
    hello, half = answer.choices[0].logprobs.content
    assert answer.choices[0].message.content == "Hello [1]"
    assert (hello.token, hello.bytes, hello.logprob) == ("Hello", list(b"Hello"), -0.25)
    assert [(other.token, other.logprob) for other in hello.top_logprobs] == [("Hi", -1.5)]
    assert (half.bytes, half.logprob, half.top_logprobs) == ([0xF0, 0x9F], -9999.0, [])
    assert answer.usage.prompt_tokens_details.cached_tokens == 10


async def test_the_openai_client_streams_log_probabilities(tmp_path):
    async with (
        serving(with_tokens(tmp_path)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as api,
    ):
        stream = await api.chat.completions.create(
            model="small",
            stream=True,
            logprobs=True,
            stream_options={"include_usage": True},
            **ASK,
        )
        chunks = [chunk async for chunk in stream]
    tokens = [
        entry.token
        for chunk in chunks
        for choice in chunk.choices
        if choice.logprobs
        for entry in choice.logprobs.content
    ]
    assert tokens == ["Hello", "\ufffd"]
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 10


async def test_without_log_probabilities_the_field_is_null(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        body = (await http.post(PATH, json=ASK)).json()
    assert body["choices"][0]["logprobs"] is None
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
