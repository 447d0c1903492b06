import asyncio
import gc
import os
import subprocess
import sys

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from xnai.answering.streams import Stream, Streams, StreamState
from xnai.errors import FILE_EMPTY, XnaiError
from xnai.observability import Metrics, spanned, traces
from xnai.observability.export import is_wanted
from xnai.observability.processes import Machine, resident, watched
from xnai.observability.stages import Stages
from xnai.observability.traces import add_trace


@pytest.fixture
def spans():
    """The spans that end while a test runs, newest last."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces.use(provider.get_tracer("test"))
    yield kept.get_finished_spans
    traces.use(None)


async def fail():
    raise XnaiError(FILE_EMPTY, name="private.txt")


def test_off_it_makes_nothing():
    block = traces.span("search")
    assert block is traces.span("prompt")
    assert traces.call("chat small") is None
    assert add_trace(None, "info", {"event": "x"}) == {"event": "x"}


async def test_an_error_is_told_by_its_code_alone(spans):
    with pytest.raises(XnaiError):
        await spanned("search")(fail)()
    [span] = spans()
    assert dict(span.attributes) == {"error.type": "file_empty"}
    assert span.status.description is None
    assert span.events == ()


async def test_a_step_is_a_span_below_its_search_and_a_measurement(spans):
    async def twice(number: int) -> int:
        return 2 * number

    metrics = Metrics()
    steps = Stages(metrics.search_stage_seconds, "search")
    with traces.span("search"):
        assert await asyncio.create_task(steps.of("words", twice, 3)) == 6
    step, search = spans()
    assert (step.name, step.parent.span_id) == ("search.words", search.context.span_id)
    count = "xnai_search_stage_seconds_count"
    assert metrics.registry.get_sample_value(count, {"stage": "words"}) == 1


@pytest.mark.slow
async def test_a_step_that_is_cancelled_before_it_begins_leaves_nothing_unawaited(recwarn):
    steps = Stages(Metrics().search_stage_seconds, "search")
    task = asyncio.create_task(steps.of("words", asyncio.sleep, 1))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gc.collect()
    assert [str(one.message) for one in recwarn] == []


async def test_a_cancelled_step_is_no_error(spans):
    task = asyncio.create_task(spanned("search")(asyncio.sleep)(30))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [span] = spans()
    assert span.attributes == {}


async def test_a_stream_is_the_root_of_what_is_done_in_it_and_names_the_request(spans):
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        with Streams().run(Stream("page", "me", "m1")):
            line = add_trace(None, "info", {})
            await asyncio.create_task(spanned("search")(asyncio.sleep)(0))
        after = add_trace(None, "info", {})
    search, root = spans()
    assert root.attributes["xnai.request.id"] == "r1"
    assert root.attributes["xnai.stream.state"] == StreamState.COMPLETED
    assert search.parent.span_id == root.context.span_id
    assert line["trace_id"] == f"{root.context.trace_id:032x}"
    assert after == {}


async def test_a_header_that_is_no_traceparent_is_passed_over(spans):
    for header in ("", "00-zz-1-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
        with traces.incoming({"traceparent": header}), traces.span("search"):
            pass
    assert [span.parent for span in spans()] == [None] * 4


@pytest.mark.parametrize(
    ("environment", "traced", "pushed"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://collector/v1/metrics"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, False, False),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "none"},
            True,
            False,
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False, False),
        ({"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_EXPORTER": "otlp"}, False, False),
    ],
)
def test_only_an_endpoint_makes_it_send(monkeypatch, environment, traced, pushed):
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (is_wanted("TRACES"), is_wanted("METRICS")) == (traced, pushed)


@pytest.mark.slow
def test_off_nothing_of_the_tracing_sdk_is_loaded_and_no_thread_runs():
    script = (
        "import sys, threading; import xnai.runtime; "
        "print([m for m in ('opentelemetry.sdk.trace', 'opentelemetry.exporter.otlp.proto.http') "
        "if m in sys.modules], threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["[]", "1"]


def test_the_memory_of_processes_is_told_while_they_run(tmp_path):
    metrics = Metrics()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with watched("parser", child.pid):
            Machine(metrics, tmp_path).look()
            seen = metrics.memory_bytes.labels("parser").value
    finally:
        child.communicate(b"\n", timeout=30)
    Machine(metrics, tmp_path / "missing").look()
    assert seen > 0
    assert metrics.memory_bytes.labels("parser").value == 0
    assert metrics.memory_bytes.labels("server").value > 10_000_000
    assert metrics.disk_free_bytes.labels().value > 0
    assert resident(child.pid) == 0
