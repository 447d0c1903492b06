import re

import pytest

from xnai.errors import CATALOGUE
from xnai.observability import Metrics
from xnai.observability.genai import ModelCall
from xnai.observability.instruments import OTHER, Label
from xnai.observability.metrics import BreakerFigures

HOSTILE = [
    *(f"/v1/files/{number}" for number in range(3000)),
    *("\ud800", "a\nb", 'quote"', "\\", "x" * 5000, "\x00", "name{le=1}", "\u202egnp", "é"),
]


def series(metrics: Metrics) -> list[str]:
    lines = metrics.text().decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def labels(metrics: Metrics, family: str, label: str) -> set[str]:
    found = "\n".join(line for line in series(metrics) if line.startswith(family))
    return set(re.findall(rf'{label}="((?:[^"\\]|\\.)*)"', found))


@pytest.mark.slow
def test_hostile_values_make_no_more_than_a_bounded_number_of_series():
    metrics = Metrics()
    before = len(series(metrics))
    for value in HOSTILE:
        metrics.error(value)
        metrics.request(value, 200)
        metrics.model_deaths.labels(value).inc()
        metrics.retries.labels("endpoints", value).inc()
        metrics.search_stage_seconds.observe(0.1, value)
        metrics.memory_bytes.labels(value).set(1)
        metrics.genai.operation(ModelCall(value, value), 1.0, value)
        metrics.genai.usage(ModelCall("xnai", value), 3, 4)
    after = len(series(metrics))

    assert len(labels(metrics, "xnai_http_requests", "route")) <= 101
    assert labels(metrics, "xnai_errors_total", "code") == {*CATALOGUE, OTHER}
    assert len(labels(metrics, "gen_ai_client_token_usage", "gen_ai_request_model")) <= 21
    assert len(labels(metrics, "gen_ai_client_operation", "error_type")) == 1
    assert labels(metrics, "xnai_process_memory_bytes", "process") == {OTHER}
    assert after - before < 3000  # of 3,000 values under eight names; histograms have 15 each


def test_what_is_counted_under_other_is_counted():
    metrics = Metrics()
    for value in HOSTILE:
        metrics.request(value, 404)
    counted = [line for line in series(metrics) if line.startswith("xnai_http_requests_total")]
    assert len(HOSTILE) == sum(float(line.rpartition(" ")[2]) for line in counted)


def test_a_label_keeps_the_first_values_and_those_that_are_known():
    few, known = Label("model", limit=2), Label("process", ("server",))
    assert [few.bound(value) for value in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]
    assert [known.bound(value) for value in ("server", "shell", "")] == ["server", OTHER, ""]


def test_a_wrong_number_of_labels_is_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        Metrics().documents.labels("processed", "again")


def test_histograms_show_what_was_measured_since_the_last_look():
    metrics = Metrics()
    for _ in range(1000):  # more than is kept until somebody looks
        metrics.queue_wait_seconds.observe(0.3)
    value = metrics.registry.get_sample_value
    assert value("xnai_queue_wait_seconds_count") == 1000
    assert value("xnai_queue_wait_seconds_bucket", {"le": "0.5"}) == 1000
    assert value("xnai_queue_wait_seconds_bucket", {"le": "0.25"}) == 0


def test_breakers_show_their_latest_figures():
    metrics = Metrics()
    for state, count in ((1, 3), (0, 5)):
        metrics.show_breakers([BreakerFigures("model", state, {"success": count}, 2.5)])
    value = metrics.registry.get_sample_value
    assert value("xnai_breaker_state", {"name": "model"}) == 0
    assert value("xnai_breaker_open_seconds_total", {"name": "model"}) == 2.5
    calls = {"name": "model", "outcome": "success"}
    assert value("xnai_breaker_calls_total", calls) == 5


def test_the_names_of_the_convention_have_its_buckets():
    metrics = Metrics()
    metrics.genai.decoded(ModelCall("xnai", "small"), 0.05, 0.2, 5)
    metrics.genai.operation(ModelCall("xnai", "small"), 3.0)
    bounds = labels(metrics, "gen_ai_server_time_per_output_token_seconds_bucket", "le")
    assert bounds == {
        *("0.01", "0.025", "0.05", "0.075", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5", "0.75"),
        *("1.0", "2.5", "+Inf"),
    }
    value = metrics.registry.get_sample_value
    asked = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "xnai",
        "gen_ai_request_model": "small",
    }
    name = "gen_ai_server_time_per_output_token_seconds_bucket"
    assert value(name, {**asked, "le": "0.05"}) == 1
    name = "gen_ai_client_operation_duration_seconds_count"
    assert value(name, asked) == 1
