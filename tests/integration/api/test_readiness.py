import asyncio
import re

import openai
import pytest
from api_server import client, program, serving

import xnai
from xnai.errors import CATALOGUE, PART_SILENT, XnaiError
from xnai.llm.protocol import ModelStatus
from xnai.observability import metrics
from xnai.resilience.states import State


def value(text, sample):
    match = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(match[1]) if match else 0.0


async def test_live_is_answered_ahead_of_chainlits_own_check(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        answers = [await http.get(path) for path in ("/health", "/health/live")]
    assert 2 * ["ok"] == [answer.json()["status"] for answer in answers]
    assert 2 * [0.0] == [answer.json()["loop_lag_seconds"] for answer in answers]


async def test_ready_means_searchable_and_says_whether_answers_can_be_generated(tmp_path):
    runtime = program(tmp_path)
    runtime.model.status = ModelStatus(
        "preparing", "small", 5.0, "Compiling", progress=0.4, eta_seconds=90.0
    )
    async with serving(runtime) as url, client(url) as http:
        response = await http.get("/health/ready")
    body = response.json()
    assert response.status_code == 200
    assert tuple(
        body[key] for key in ("generation", "model", "model_detail", "progress", "eta_seconds")
    ) == (False, "preparing", "Compiling", 0.4, 90.0)
    assert body["dependencies"]["search"] == {
        "state": "ready",
        "since": 1.0,
        "detail": "",
        "error_code": None,
        "last_error": None,
        "breaker": None,
        "next_attempt_seconds": None,
    }
    assert body["breakers"] == {}


async def test_a_model_that_is_down_is_told_with_its_next_attempt(tmp_path):
    runtime = program(tmp_path)
    runtime.model.status = ModelStatus(
        "down", "small", 5.0, "It crashed", retry_in=4.0, error_code="model_crashed"
    )
    async with serving(runtime) as url, client(url) as http:
        body = (await http.get("/health/ready")).json()
    assert (body["generation"], body["model"]) == (False, "down")
    assert (
        body["dependencies"]["model"]["next_attempt_seconds"],
        body["dependencies"]["model"]["error_code"],
    ) == (4.0, "model_crashed")


@pytest.mark.parametrize(
    ("search", "accepting", "code"),
    [
        ("starting", True, "search_down"),
        ("down", True, "search_down"),
        ("ready", False, "shutting_down"),
    ],
)
async def test_not_ready_is_503_with_the_reason(tmp_path, search, accepting, code):
    runtime = program(tmp_path)
    runtime.search_state.state, runtime.accepting = search, accepting
    async with serving(runtime) as url, client(url) as http:
        response = await http.get("/health/ready")
    assert (503, code) == (response.status_code, response.json()["error"]["code"])
    assert search == response.json()["dependencies"]["search"]["state"]
    assert int(response.headers["Retry-After"]) >= 1


async def test_an_index_that_hangs_is_not_ready_and_one_that_is_slow_to_write_is(tmp_path):
    runtime = program(tmp_path)
    error = XnaiError(PART_SILENT, part="index", seconds=3.0)
    runtime.health.add("index_writes").become("down", error.message, error)
    async with serving(runtime) as url, client(url) as http:
        slow = await http.get("/health/ready")
        runtime.health.add("index").become("down", error.message, error)
        hung = await http.get("/health/ready")
    assert (200, 503) == (slow.status_code, hung.status_code)
    assert "search_down" == hung.json()["error"]["code"]
    assert "part_silent" == hung.json()["dependencies"]["index"]["error_code"]


async def test_an_open_breaker_of_the_model_means_that_nothing_is_generated(tmp_path):
    runtime = program(tmp_path)
    breaker = runtime.breakers.make("model", shared=False)
    async with serving(runtime) as url, client(url) as http:
        before = (await http.get("/health/ready")).json()
        await breaker.set_state(State.FORCED_OPEN, "maintenance")
        after = (await http.get("/health/ready")).json()
    assert (True, False) == (before["generation"], after["generation"])
    assert ("closed", "forced_open") == (
        before["dependencies"]["model"]["breaker"],
        after["dependencies"]["model"]["breaker"],
    )


async def test_ready_answers_while_an_answer_hangs(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [3600.0]
    body = {"messages": [{"role": "user", "content": "x"}]}
    async with serving(runtime) as url, client(url) as http:
        hanging = asyncio.create_task(http.post("/v1/chat/completions", json=body))
        await asyncio.wait_for(runtime.pipeline.started.wait(), 5)
        assert (await http.get("/health/ready", timeout=10)).status_code == 200
        assert not hanging.done()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_the_models_are_listed_and_the_one_in_use_is_the_default(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as api:
            assert [model.id async for model in api.models.list()] == ["small", "large"]
            assert (await api.models.retrieve("large")).id == "large"
        body = (await http.get("/v1/models")).json()
        unknown = await http.get("/v1/models/none")
    assert (body["object"], body["default"]) == ("list", "small")
    assert "/models" not in str(body)
    assert unknown.json()["error"]["code"] == "model_not_found"


async def test_metrics_count_requests_by_route_and_errors_by_code(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        before = (await http.get("/metrics")).text
        for path in ("/v1/files/unknown-1", "/v1/files/unknown-2", "/v1/nothing-of-the-kind"):
            await http.get(path)
        response = await http.get("/metrics")
    after = response.text
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for sample, more in {
        'xnai_http_requests_total{route="/v1/files/{id}",status="404"}': 2,
        'xnai_http_requests_total{route="other",status="404"}': 1,
        'xnai_errors_total{code="not_found"}': 3,
    }.items():
        assert more == value(after, sample) - value(before, sample)
    assert "unknown-1" not in after
    assert f'xnai_build_info{{version="{xnai.__version__}"}} 1.0' in after


async def test_the_figures_other_programs_rely_on_are_there_from_the_start(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        text = (await http.get("/metrics")).text
    for name in (
        "xnai_model_loads_total",
        "xnai_streams_active",
        "xnai_breaker_state",
        "xnai_event_loop_lag_seconds",
        "xnai_errors_total",
    ):
        assert f"# TYPE {name}" in text


async def test_an_error_outside_the_catalogue_is_counted_under_one_name():
    metrics.error("made up by a client")
    codes = re.findall(r'xnai_errors_total\{code="([^"]+)"\}', metrics.text().decode())
    assert set(codes) <= {*CATALOGUE, "other"}
