"""Circuit breakers over HTTP, in the health report, the metrics and the log."""

import asyncio

import pytest
import structlog
from api_server import client, program, serving

from rig.waiting import eventually, stays
from xnai.breakers import config, make_breakers
from xnai.resilience import CircuitOpenError
from xnai.resilience.states import State
from xnai.settings import Settings


def with_model(folder, **settings):
    """A program with one breaker, and that breaker."""
    runtime = program(folder, **settings)
    runtime.breakers = make_breakers(runtime.settings)
    return runtime, runtime.breakers.make("model", config(runtime.settings), shared=False)


async def fails():
    raise RuntimeError("what somebody typed")


async def trip(breaker, times=5):
    for _ in range(times):
        with pytest.raises((RuntimeError, CircuitOpenError)):
            await breaker.call(fails)


def value(text, sample):
    (line,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(line.rpartition(" ")[2])


async def test_an_open_breaker_is_in_the_health_report_with_reason_and_next_attempt(tmp_path):
    runtime, breaker = with_model(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        await trip(breaker, 6)
        ready = await http.get("/health/ready")
        listed = (await http.get("/v1/breakers")).json()["data"]
        shown = (await http.get("/v1/breakers/model")).json()

    told = ready.json()["breakers"]["model"]
    assert ready.status_code == 200
    assert told["state"] == "open"
    assert told["reason"] == "5 calls in a row failed, the last: RuntimeError"
    assert 3 < told["retry_in"] <= 5
    assert told["calls"] | {"failed": 5, "rejected": 1} == told["calls"]
    assert ["model"] == [row["name"] for row in listed]
    assert shown["window"] == {"calls": 5, "failures": 5, "slow": 0}


async def test_only_the_first_key_may_change_one(tmp_path):
    operator, guest = "the-operators-key", "the-guests-own-key"
    runtime, breaker = with_model(tmp_path, api_keys=(operator, guest))
    keys = {
        key: {"Authorization": f"Bearer {key}"}
        for key in ("the-operators-key", "the-guests-own-key")
    }
    order = {"action": "open"}
    async with serving(runtime) as url, client(url) as http:
        seen = await http.get("/v1/breakers/model", headers=keys[guest])
        refused = await http.post("/v1/breakers/model", json=order, headers=keys[guest])
        state = breaker.state.value
        obeyed = await http.post("/v1/breakers/model", json=order, headers=keys[operator])

    assert (seen.status_code, refused.status_code, obeyed.status_code) == (200, 403, 200)
    assert refused.json()["error"]["code"] == "forbidden"
    assert state == "closed"


async def test_operators_open_close_and_reset_it(tmp_path):
    runtime, breaker = with_model(tmp_path)
    async with serving(runtime) as url, client(url) as http:

        async def order(**body) -> tuple[str, str]:
            answer = await http.post("/v1/breakers/model", json=body)
            return answer.json()["state"], answer.json()["reason"]

        assert await order(action="open", reason="repairs\n\x1b") == (
            "forced_open",
            "open by hand: repairs",
        )
        with pytest.raises(CircuitOpenError):
            await breaker.call(fails)
        assert await order(action="disable") == ("disabled", "disable by hand")
        assert await order(action="watch") == ("metrics_only", "watch by hand")
        assert await order(action="close") == ("closed", "close by hand")
        await trip(breaker)
        epoch = breaker.machine.fleet.epoch
        assert await order(action="reset") == ("closed", "reset by hand")
        assert breaker.machine.fleet.epoch == epoch + 1
        assert breaker.totals() == (0, 0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("GET", "/v1/breakers/other", None, (404, "not_found")),
        ("POST", "/v1/breakers/other", {"action": "open"}, (404, "not_found")),
        ("POST", "/v1/breakers/model", {"action": "explode"}, (400, "bad_request")),
        ("POST", "/v1/breakers/model", ["open"], (400, "bad_request")),
        ("DELETE", "/v1/breakers/model", None, (405, "method_not_allowed")),
    ],
)
async def test_what_cannot_be_done_is_said(tmp_path, method, path, body, error):
    runtime, _ = with_model(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        answer = await http.request(method, path, json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == error


async def test_with_keys_nobody_else_touches_a_breaker(tmp_path):
    runtime, breaker = with_model(tmp_path, api_keys="first-key-of-tests")
    async with serving(runtime) as url, client(url) as http:
        refused = await http.post("/v1/breakers/model", json={"action": "open"})
        hidden = await http.get("/v1/breakers")

    assert [401, 401] == [refused.status_code, hidden.status_code]
    assert breaker.state.value == "closed"


async def test_the_metrics_count_calls_transitions_probes_and_time(tmp_path):
    runtime, breaker = with_model(tmp_path, breaker_open_seconds=1)
    async with serving(runtime) as url, client(url) as http:
        before = (await http.get("/metrics")).text
        await trip(breaker, 7)
        opened = (await http.get("/metrics")).text
        await eventually(lambda: not breaker.rejecting)
        await breaker.call(lambda: asyncio.sleep(0))
        text = (await http.get("/metrics")).text

    assert value(before, 'xnai_breaker_state{name="model"}') == 0
    assert value(opened, 'xnai_breaker_state{name="model"}') == 1
    assert value(text, 'xnai_breaker_state{name="model"}') == 0
    assert value(text, 'xnai_breaker_calls_total{name="model",outcome="failed"}') == 5
    assert value(text, 'xnai_breaker_calls_total{name="model",outcome="rejected"}') == 2
    assert value(text, 'xnai_breaker_open_seconds_total{name="model"}') >= 0.1
    assert value(text, 'xnai_breaker_transitions_total{name="model",state="open"}') >= 1
    assert value(text, 'xnai_breaker_probes_total{name="model",result="succeeded"}') >= 1


async def test_each_transition_is_one_line_of_the_log_with_its_reason(tmp_path):
    _, breaker = with_model(tmp_path)
    with structlog.testing.capture_logs() as lines:
        await trip(breaker, 9)

    (line,) = [line for line in lines if line["event"] == "breaker"]
    assert (line["breaker"], line["was"], line["state"]) == ("model", "closed", "open")
    assert line["reason"] == "5 calls in a row failed, the last: RuntimeError"
    assert "typed" not in str(lines)


def of_breakers(lines):
    return [line["breaker"] for line in lines if line["event"] == "breaker"]


async def test_a_redis_that_cannot_be_reached_is_said_once_and_nothing_waits_for_it(tmp_path):
    settings = Settings(_env_file=None, data_dir=tmp_path, redis_url="redis://:secret@127.0.0.1:1")
    runtime = program(tmp_path)
    runtime.breakers = make_breakers(settings)
    runtime.breakers.make("endpoint:a:1")
    with structlog.testing.capture_logs() as lines:
        await runtime.breakers.start()
        await eventually(lambda: runtime.breakers.link.state is State.OPEN)
        await stays(lambda: len(of_breakers(lines)) == 1, "it is not said again", 0.5)
    async with serving(runtime) as url, client(url) as http:
        ready = await http.get("/health/ready")
    await runtime.breakers.close()

    told = ready.json()["breakers"]["redis"]
    assert (ready.status_code, told["state"]) == (200, "open")
    assert told["reason"] == "nothing listens there"
    assert ["redis"] == of_breakers(lines)
    assert "secret" not in ready.text + str(lines)
