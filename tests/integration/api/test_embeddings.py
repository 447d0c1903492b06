"""``/v1/embeddings`` and ``/openapi.json``."""

import asyncio
import re

import openai
import pytest
from api_server import client, program, serving
from starlette.routing import Route

from rig.waiting import eventually
from xnai.api import embeddings
from xnai.api.openapi import plain
from xnai.api.routes import create_routes


def openai_client(url):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


async def test_the_openai_client_embeds_texts(tmp_path):
    async with serving(program(tmp_path)) as url, openai_client(url) as api:
        # The client asks for base64 by itself, and turns it into numbers.
        made = await api.embeddings.create(model="lengths", input=["one", "three"])
        assert [(one.index, one.embedding) for one in made.data] == [(0, [3, 0]), (1, [5, 0])]
        assert (made.model, made.usage.total_tokens) == ("lengths", 8)
        asked = await api.embeddings.create(
            model="default",
            input="one",
            encoding_format="float",
            dimensions=2,
            extra_body={"input_type": "query"},
        )
        assert asked.data[0].embedding == [3, 1]
        many = await api.embeddings.create(model="lengths", input=["x" * n for n in range(1, 201)])
        assert [one.embedding[0] for one in many.data] == list(range(1, 201))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "bad_request"),
        ({"input": ""}, "bad_request"),
        ({"input": []}, "bad_request"),
        ({"input": ["x", ""]}, "bad_request"),
        ({"input": ["x", 1]}, "bad_request"),
        ({"input": [1, 2]}, "bad_request"),
        ({"input": [[1, 2]]}, "bad_request"),
        ({"input": "x" * 20_001}, "bad_request"),
        ({"input": ["x"] * 2049}, "bad_request"),
        ({"input": "x", "dimensions": 3}, "bad_request"),
        ({"input": "x", "encoding_format": "hex"}, "bad_request"),
        ({"input": "x", "input_type": "poem"}, "bad_request"),
        ({"input": "x", "model": "text-embedding-3-small"}, "model_not_found"),
        ({"input": ["x" * 19_000] * 300}, "body_too_large"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(tmp_path, fields, code):
    async with serving(program(tmp_path)) as url, client(url) as http:
        answer = await http.post("/v1/embeddings", json=fields)
    assert answer.json()["error"]["code"] == code


async def test_one_person_has_so_many_requests_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "MOST_REQUESTS", 2)
    runtime = program(tmp_path)
    runtime.embedder.go.clear()
    async with serving(runtime) as url, client(url) as http:
        first = asyncio.create_task(http.post("/v1/embeddings", json={"input": "x"}))
        await eventually(lambda: runtime.embedder.begun == 1, "the first is embedded")
        assert (await http.post("/v1/embeddings", json={"input": "x"})).status_code == 429
        runtime.embedder.go.set()
        assert (await first).status_code == 200
        assert (await http.post("/v1/embeddings", json={"input": "x"})).status_code == 200


async def test_every_route_is_described(tmp_path):
    runtime = program(tmp_path, api_keys="key-of-ann-0123456789")
    async with serving(runtime) as url, client(url) as http:
        answer = await http.get("/openapi.json")  # without a key
    told = answer.raise_for_status().json()
    routes = {
        (method.lower(), plain(route.path))
        for route in create_routes(runtime)
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    described = {(method, path) for path, methods in told["paths"].items() for method in methods}
    assert described == routes
    assert told["openapi"].startswith("3.1")
    # What is referred to is there, and a path's parameters are those of its operations.
    for name in re.findall(r'"\$ref": ?"#/components/schemas/(\w+)"', answer.text):
        assert name in told["components"]["schemas"], name
    for path, methods in told["paths"].items():
        for operation in methods.values():
            inside = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert inside == re.findall(r"\{(\w+)\}", path)
            assert operation["summary"]
