"""What a trace and the figures say of answers that come from a model endpoint."""

import time
from contextlib import aclosing

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from remote_server import RemoteServer, listening, refusing, settings

from xnai.errors import XnaiError
from xnai.llm.instrumentation import Generation
from xnai.llm.protocol import Completion
from xnai.llm.remote.router import Router
from xnai.observability import metrics, traces
from xnai.types import Message, Sampling

ASKED = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "tiny",
}


@pytest.fixture
def spans():
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces.use(provider.get_tracer("test"))
    yield kept.get_finished_spans
    traces.use(None)


def completion():
    deadline = time.monotonic() + 5
    return Completion("r", "u", (Message("user", "Hi"),), Sampling(max_tokens=10), deadline)


async def answer(remote: RemoteServer) -> None:
    async with listening(remote):
        fleet = Router(settings(remote.url))
        try:
            await fleet.ensure_ready(time.monotonic() + 5)
            async with aclosing(fleet.complete(completion())) as events:
                async for _ in events:
                    pass
        finally:
            await fleet.close()


def headers_of(remote: RemoteServer) -> dict[str, str]:
    [asked] = [one for one in remote.requests if one.path == "/v1/chat/completions"]
    return asked.headers


def counted(name: str, **labels: str) -> float:
    """The value of one series; an empty label and none are the same, as for Prometheus."""
    wanted = {**ASKED, **labels}
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and all(sample.labels.get(k, "") == v for k, v in wanted.items())
    )


async def test_an_endpoint_is_told_of_which_trace_its_answer_is_a_part(spans):
    remote = RemoteServer()
    with traces.span("question"):
        await answer(remote)
    chat, root = spans()
    told = f"00-{root.context.trace_id:032x}-{chat.context.span_id:016x}"
    assert told == headers_of(remote)["traceparent"].rpartition("-")[0]
    assert chat.name == "chat tiny"
    assert chat.attributes["server.address"] == "127.0.0.1"
    assert chat.attributes["server.port"] == int(remote.url.rpartition(":")[2])
    assert chat.attributes["gen_ai.usage.cache_read.input_tokens"] == 3
    assert not [name for name in chat.attributes if "message" in name]


async def test_off_no_endpoint_is_told_anything():
    remote = RemoteServer()
    await answer(remote)
    assert "traceparent" not in headers_of(remote)


async def test_answers_of_endpoints_are_counted_under_the_names_of_the_convention():
    duration = "gen_ai_client_operation_duration_seconds_count"
    tokens = "gen_ai_client_token_usage_sum"
    served = "gen_ai_server_request_duration_seconds_count"
    before = counted(duration, error_type=""), counted(tokens, gen_ai_token_type="input")
    failed, ours = counted(duration, error_type="remote_refused"), counted(served)

    await answer(RemoteServer())
    refused = RemoteServer(refusing(418))
    with pytest.raises(XnaiError) as caught:
        await answer(refused)

    code = caught.value.code
    assert counted(duration, error_type="") - before[0] == 1
    assert counted(tokens, gen_ai_token_type="input") - before[1] == 7
    assert counted(duration, error_type=code) - failed == 1
    assert counted(served) == ours  # the endpoint counts that itself


@pytest.mark.parametrize("server", ["[::1]", "models.example", "[::1]:8080"])
def test_an_address_with_or_without_a_port_is_no_hindrance(spans, server):
    with Generation("openai", "tiny", completion(), server):
        pass
    [span] = spans()
    assert span.attributes["server.address"] in server
