"""Traces and figures as a collector gets them from a whole server that answers a question."""

import asyncio
import json
import shutil
import socket
import time

import httpx
import pytest
from otlp_collector import attributes, collecting
from ui_client import tidy_up
from whole_chat import Chat

from rig.waiting import wait_until

pytestmark = pytest.mark.engine

STORY = (
    "Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987.\n\n"
    "The keepers bake bread on Tuesdays. The emergency generator runs for three days.\n"
)
QUESTION = "When was the lamp of Norwick Lighthouse replaced?"
FILE = "secret-story.txt"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TREE = {
    "question": "",
    "search": "question",
    "search.embed": "search",
    "search.words": "search",
    "search.vectors": "search",
    "search.fetch": "search",
    "search.rerank": "search",
    "prompt": "question",
    "chat": "question",
    "queue": "chat",
    "prefill": "chat",
    "decode": "chat",
    "render": "question",
}


def own_server(server, tmp_path, **environment: str):
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, tmp_path / "data" / name)
    return type(server)(tmp_path, {"OTEL_BSP_SCHEDULE_DELAY": "200", **environment})


def ask(server, file_id: str, **headers: str) -> httpx.Response:
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "retrieval": {"document_ids": [file_id]},
        "max_tokens": 40,
        "stop": ["\u2603"],  # who asks for the model's own text gets that of a small one, too
    }
    url = f"{server.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers=headers, timeout=120).raise_for_status()


async def ask_on_the_page(server) -> None:
    try:
        chat = await Chat.open(server)
        await chat.ask(QUESTION, (FILE, STORY.encode()))
    finally:
        await tidy_up()


@pytest.fixture(scope="module")
def told(server, tmp_path_factory):
    """What the collector has after three questions, the log, two responses and /metrics."""
    with collecting() as collector:
        other = own_server(
            server,
            tmp_path_factory.mktemp("otlp"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_METRIC_EXPORT_INTERVAL="500",
            XNAI_LOG_FORMAT="json",
            XNAI_LOG_LEVEL="debug",
        )
        other.start()
        try:
            other.wait(model="ready")
            file_id = other.upload(FILE, STORY.encode())
            first = ask(other, file_id)
            parent = f"00-{TRACE}-{PARENT}-01"
            second = ask(other, file_id, traceparent=parent, **{"X-Request-ID": "mine-1"})
            collector.wait_for("question", 2)
            asyncio.run(ask_on_the_page(other))
            collector.wait_for("question", 3)
            wait_until(lambda: [count for count, _ in written(collector)] == [2], "two answers")
            text = httpx.get(f"{other.url}/metrics").text
        finally:
            code = other.stop()
        yield collector, other.log, (first, second), text, code


def written(collector) -> list[tuple[int, float]]:
    """How many answers there were and how many tokens they had, as the figures say."""
    usage = collector.metrics.get("gen_ai.client.token.usage")
    points = usage.histogram.data_points if usage is not None else ()
    return [(p.count, p.sum) for p in points if attributes(p)["gen_ai.token.type"] == "output"]


def root_of(collector, kind: str):
    roots = [span for span in collector.wait_for("question", 3) if not span.parent_span_id]
    [root] = [span for span in roots if attributes(span)["xnai.stream.kind"] == kind]
    return root


def test_a_question_on_the_page_is_a_trace_of_the_same_steps(told):
    collector, log, _, _, _ = told
    root = root_of(collector, "page")
    names = [span.name.split(" ")[0] for span in collector.trace_of(root)]
    # The bundled model is too small to be asked over documents.
    asked = {name for name in TREE if "chat" in {name, TREE[name]}} | {"prompt"}
    assert sorted(TREE.keys() - asked) == sorted(names)
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    request_id = attributes(root)["xnai.request.id"]
    assert request_id in {line.get("request_id") for line in lines if "trace_id" in line}


def test_a_question_is_one_trace_of_all_its_steps(told):
    collector, _, responses, _, _ = told
    root = root_of(collector, "api")
    spans = {span.span_id: span for span in collector.trace_of(root)}
    short = {i: span.name.split(" ")[0] for i, span in spans.items()}

    tree = {short[i]: short.get(span.parent_span_id, "") for i, span in spans.items()}

    assert TREE == tree
    assert len(TREE) == len(spans)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans.values())
    for span in spans.values():
        if span.parent_span_id:
            above = spans[span.parent_span_id]
            assert above.start_time_unix_nano - 5_000_000 <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= above.end_time_unix_nano + 5_000_000
    assert attributes(root)["xnai.request.id"] == responses[0].headers["X-Request-ID"]
    assert attributes(root)["xnai.stream.state"] == "completed"


def test_the_models_part_has_the_attributes_of_the_convention(told):
    collector, _, responses, _, _ = told
    root = root_of(collector, "api")
    [chat] = [s for s in collector.trace_of(root) if s.name.startswith("chat ")]
    usage = responses[0].json()["usage"]

    found = attributes(chat)

    assert chat.kind == chat.SPAN_KIND_CLIENT
    assert chat.name == f"chat {found['gen_ai.request.model']}"
    assert (found["gen_ai.operation.name"], found["gen_ai.provider.name"]) == ("chat", "xnai")
    assert found["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert found["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert found["gen_ai.response.time_to_first_chunk"] > 0


def test_a_caller_that_names_a_trace_gets_its_question_into_it(told):
    collector, _, _, _, _ = told
    [inner] = [s for s in collector.wait_for("question", 3) if s.parent_span_id]
    assert (inner.trace_id.hex(), inner.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(inner)["xnai.request.id"] == "mine-1"


def test_the_lines_of_a_question_name_its_trace(told):
    _, log, _, _, _ = told
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    [end] = [
        line
        for line in lines
        if line["event"] == "stream ended" and line.get("request_id") == "mine-1"
    ]
    assert end["trace_id"] == TRACE
    assert len(end["span_id"]) == 16


def test_nothing_of_questions_documents_or_their_names_is_sent(told):
    collector, _, responses, _, _ = told
    answer = responses[0].json()["choices"][0]["message"]["content"]
    sent = b"\n".join(collector.bodies)
    assert len(collector.bodies) > 2
    for words in (*STORY.split(), *QUESTION.split(), "secret-story", answer):
        if len(words) > 4:
            assert words.encode() not in sent


def test_figures_are_pushed_and_shown_under_one_name_each(told):
    collector, _, responses, text, _ = told
    usage = [response.json()["usage"]["completion_tokens"] for response in responses]

    # For the page's question no model was asked.
    assert written(collector) == [(len(usage), sum(usage))]
    assert collector.metrics["xnai.model.loads"].sum.data_points[0].as_double == 1
    assert collector.metrics["xnai.breaker.state"].gauge.data_points
    assert "gen_ai_client_token_usage_sum" in text
    assert "otel_scope" not in text
    assert collector.services == {"xnai"}


def test_the_server_ends_cleanly_with_its_last_spans_sent(told):
    assert told[4] == 0


def test_a_collector_that_takes_nothing_holds_up_neither_answers_nor_the_end(server, tmp_path):
    with socket.socket() as deaf:  # accepts connections, reads nothing
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        other = own_server(server, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        other.start()
        try:
            other.wait(model="ready")
            assert ask(other, other.upload(FILE, STORY.encode())).status_code == httpx.codes.OK
        finally:
            began = time.monotonic()
            assert other.stop() == 0
    assert time.monotonic() - began < 20


def test_a_sampler_that_says_no_and_no_endpoint_send_nothing(server, tmp_path):
    with collecting() as collector:
        other = own_server(
            server,
            tmp_path,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
            OTEL_TRACES_SAMPLER="always_off",
        )
        other.start()
        try:
            other.wait(model="ready")
            ask(other, other.upload(FILE, STORY.encode()))
        finally:
            assert other.stop() == 0
    assert collector.bodies == []
