"""One model endpoint that answers, refuses, hangs, lies and dies."""

import asyncio
import socket
import time
from contextlib import aclosing, asynccontextmanager

import pytest
import structlog
from remote_server import (
    DONE,
    HELLO,
    SSE,
    RemoteServer,
    data,
    hanging_after,
    listening,
    piece,
    refusing,
    saying,
    settings,
    usage,
)

from rig.waiting import PATIENCE
from xnai.errors import XnaiError
from xnai.llm.protocol import Completion, Finished, Prefill, Queued, TokenText
from xnai.llm.remote.router import Router
from xnai.types import Message, Sampling, Usage

QUICK = {
    "llm_connect_timeout": 0.2,
    "llm_first_token_timeout": 0.2,
    "llm_token_timeout": 0.2,
}


def ask(seconds=PATIENCE, content="Hi", **sampling):
    values = {"max_tokens": 10, **sampling}
    deadline = time.monotonic() + seconds
    return Completion("r", "u", (Message("user", content),), Sampling(**values), deadline)


@asynccontextmanager
async def fleet_of(*servers: RemoteServer, **values: object):
    async with listening(*servers):
        fleet = Router(settings(*(server.url for server in servers), **values))
        try:
            yield fleet
        finally:
            await fleet.close()


async def collect(fleet, completion=None):
    await fleet.ensure_ready(time.monotonic() + PATIENCE)
    async with aclosing(fleet.complete(completion or ask())) as events:
        return [event async for event in events]


async def told(server, completion=None, **values: object) -> tuple[str, XnaiError]:
    """The text that came and the error that ended it."""
    texts = []
    async with fleet_of(server, **{**QUICK, **values}) as fleet:
        with pytest.raises(XnaiError) as caught:
            await fleet.ensure_ready(time.monotonic() + PATIENCE)
            async with aclosing(fleet.complete(completion or ask())) as events:
                async for event in events:
                    texts += [event.text] if isinstance(event, TokenText) else []
    assert "SECRET" not in str(caught.value)
    return "".join(texts), caught.value


async def test_an_answer_streams_and_ends_with_what_the_server_counted():
    async with fleet_of(RemoteServer()) as fleet:
        events = await collect(fleet)
    assert events == [TokenText("Hel"), TokenText("lo"), Finished("stop", Usage(7, 2, 3))]


async def test_the_key_goes_with_every_request_and_no_proxy_is_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = RemoteServer()
    async with fleet_of(server, llm_api_key="k1", llm_model="tiny") as fleet:
        await collect(fleet)
    assert {r.headers.get("authorization") for r in server.requests} == {"Bearer k1"}
    assert {r.headers["accept-encoding"] for r in server.requests} == {"identity"}
    assert server.asked[0]["model"] == "tiny"


async def test_comments_become_events_and_give_the_first_token_more_time():
    async def slow_line(request) -> None:
        await request.send(SSE)
        for position in (3, 2, 1):
            await asyncio.sleep(0.12)
            await request.send(f": queued {position}\n\n: ping\n\n")
        await request.send(": reading 2/4\n\n", piece("A", "stop"), DONE)

    async with fleet_of(RemoteServer(slow_line), **QUICK) as fleet:
        events = await collect(fleet)
    assert events[:5] == [Queued(3), Queued(2), Queued(1), Prefill(2, 4), TokenText("A")]


async def test_pings_give_no_more_time():
    async def pinging(request) -> None:
        await request.send(SSE, data(choices=[{"delta": {"role": "assistant"}}]))
        while True:
            await request.send(": ping\n\n")
            await asyncio.sleep(0.05)

    assert (await told(RemoteServer(pinging)))[1].code == "remote_first_token_timeout"


async def test_usage_is_counted_where_it_is_not_told():
    async with fleet_of(RemoteServer(saying(SSE, piece("Hello", "length"), DONE))) as fleet:
        finished = (await collect(fleet))[-1]
    assert (finished.reason, finished.usage.completion_tokens) == ("length", 4)
    assert finished.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    ("chat", "text", "code"),
    [
        (hanging_after(), "", "remote_first_token_timeout"),
        (hanging_after(SSE), "", "remote_first_token_timeout"),
        (hanging_after(SSE, "data: {"), "", "remote_first_token_timeout"),
        (hanging_after(SSE, piece("A")), "A", "remote_stalled"),
        (saying(SSE, piece("A")), "A", "remote_broke_off"),
        (saying(SSE, piece("A"), DONE), "A", "remote_broke_off"),
        (saying(SSE, piece("A"), "data: cut"), "A", "remote_broke_off"),
        (saying(SSE, piece("A"), data(error={"message": "SECRET"})), "A", "remote_broke_off"),
        (saying(SSE, piece("A"), "event: error\n" + piece("SECRET")), "A", "remote_broke_off"),
        (saying(SSE, piece("A"), piece("", "abort")), "A", "remote_garbled"),
        (saying(SSE, "data: SECRET\n\n"), "", "remote_garbled"),
        (saying(SSE, b"data: " + 2**21 * b"x"), "", "remote_garbled"),
        (saying(SSE, *(400 * [piece("x" * 1000)]), DONE), None, "remote_garbled"),
        (saying("SECRET SECRET\r\n\r\n"), "", "remote_garbled"),
        (saying("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nSECRET"), "", "remote_garbled"),
        (saying(SSE.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"), b"\x1f\x8b"), "",
         "remote_garbled"),
        (saying(), "", "remote_broke_off"),
        (saying(SSE.replace("Connection: close", "Content-Length: 9999"), piece("A")), "A",
         "remote_broke_off"),
        (refusing(401), "", "remote_key_refused"),
        (refusing(403), "", "remote_key_refused"),
        (refusing(307, Location="http://127.0.0.1:1/"), "", "remote_garbled"),
        (refusing(404, [1]), "", "remote_garbled"),
        (refusing(418), "", "remote_refused"),
        (refusing(400), "", "remote_refused"),
        (refusing(500), "", "model_down"),
    ],
)  # fmt: skip
async def test_each_way_to_fail_has_its_error_and_keeps_the_text(chat, text, code):
    shown, error = await told(RemoteServer(chat))
    assert error.code == code
    assert text is None or shown == text


async def test_every_error_names_the_endpoint_and_nothing_else_of_its_address():
    server = RemoteServer(refusing(401))
    async with listening(server):
        fleet = Router(settings(server.url + "/private/v1", llm_api_key="k1", llm_model="m"))
        with pytest.raises(XnaiError) as caught:
            await collect(fleet)
        await fleet.close()
    assert server.name in str(caught.value)
    assert "private" not in str(caught.value)


async def test_an_error_of_another_xnai_is_named_by_its_code():
    chat = saying(SSE, data(error={"code": "model_crashed", "message": "SECRET"}))
    assert "model_crashed" in str((await told(RemoteServer(chat)))[1])


async def test_an_unknown_model_is_named_with_those_there_are():
    chat = refusing(404, {"error": {"code": "model_not_found", "message": "SECRET"}})
    error = (await told(RemoteServer(chat)))[1]
    assert (error.code, error.values["name"]) == ("remote_model_unknown", "tiny")
    error = (await told(RemoteServer(), llm_model="huge"))[1]
    assert (error.values["name"], error.values["available"]) == ("huge", "tiny")


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("99999999", 120.0), ("-1", 1.0), ("nan", 1.0), ("soon", 1.0)]
)
async def test_retry_after_is_passed_on_and_honoured(header, wait):
    server = RemoteServer(refusing(429, Retry_After=header))
    async with fleet_of(server) as fleet:
        with pytest.raises(XnaiError) as caught:
            await collect(fleet)
        assert (caught.value.code, caught.value.retry_after) == ("remote_busy", wait)
        with pytest.raises(XnaiError) as caught:
            await collect(fleet)
        assert caught.value.code == "remote_busy"
        assert wait - 1 <= caught.value.retry_after <= wait
        assert fleet.status.state == "ready"
    assert len(server.asked) == 1


async def test_a_503_says_when_to_try_again_and_keeps_nobody_else_out():
    server = RemoteServer(refusing(503, Retry_After="9"))
    async with fleet_of(server) as fleet:
        with pytest.raises(XnaiError) as caught:
            await collect(fleet)
        assert (caught.value.code, caught.value.retry_after) == ("model_down", 9.0)
        (one,) = fleet.endpoints
        assert (one.state, one.last_error) == ("ready", "model_down")


@pytest.mark.parametrize(
    ("error", "tokens", "limit"),
    [
        ({"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}, 900, 502),
        ({"message": "This model's maximum context length is 512 tokens. However, you requested "
          "910 tokens (900 in the messages, 10 in the completion)."}, 910, 502),
        ({"message": "This model's maximum context length is 512 tokens. However, your messages "
          "contain too many tokens"}, "more than 502", 502),
        ({"code": "question_too_long", "message": "The question has 900 tokens; SECRET"}, 900,
         4086),
    ],
)  # fmt: skip
async def test_a_question_that_is_too_long_is_told_with_the_figures_there_are(error, tokens, limit):
    for body in ({"error": error}, {"object": "error", **error}):
        raised = (await told(RemoteServer(refusing(400, body))))[1]
        assert raised.code == "question_too_long"
        assert (raised.values["tokens"], raised.values["limit"]) == (tokens, limit)


async def test_a_context_that_a_refusal_names_is_remembered():
    chat = refusing(400, {"error": {"type": "exceed_context_size_error", "n_ctx": 512}})
    async with fleet_of(RemoteServer(chat)) as fleet:
        with pytest.raises(XnaiError):
            await collect(fleet)
        assert fleet.context_tokens == 512


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_unknown_fields_is_asked_without_them_from_then_on(status):
    async def strict(request) -> None:
        if "top_k" in request.body:
            await request.json({"error": {"code": "unknown_parameter"}}, status)
        else:
            await request.send(HELLO)

    server = RemoteServer(strict)
    async with fleet_of(server) as fleet:
        for _ in range(2):
            assert isinstance((await collect(fleet))[-1], Finished)
    assert ["top_k" in body for body in server.asked] == [True, False, False]


async def test_a_refusal_for_another_reason_does_not_take_the_extensions_away():
    server = RemoteServer(refusing(400))
    async with fleet_of(server) as fleet:
        for _ in range(2):
            with pytest.raises(XnaiError):
                await collect(fleet)
    assert ["top_k" in body for body in server.asked] == [True, False, True, False]


async def test_closing_the_answer_closes_the_connection_at_once():
    gone = asyncio.Event()

    async def endless(request) -> None:
        await request.send(SSE, piece("A"))
        await request.gone()
        gone.set()

    async with fleet_of(RemoteServer(endless)) as fleet:
        await fleet.ensure_ready(time.monotonic() + PATIENCE)
        answer = fleet.complete(ask())
        assert await anext(answer) == TokenText("A")
        await answer.aclose()
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
        assert fleet.endpoints[0].in_flight == 0


@pytest.mark.parametrize("head", [(), (SSE,), (SSE, piece("A"))])
async def test_cancelling_the_reader_closes_the_connection_at_once(head):
    gone, asked = asyncio.Event(), asyncio.Event()

    async def endless(request) -> None:
        await request.send(*head)
        asked.set()
        await request.gone()
        gone.set()

    async with fleet_of(RemoteServer(endless)) as fleet:
        reading = asyncio.create_task(collect(fleet))
        await asked.wait()
        reading.cancel()
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
        assert (fleet.endpoints[0].in_flight, fleet.waiting) == (0, 0)


async def test_the_deadline_ends_an_answer_that_goes_on():
    async def dripping(request) -> None:
        await request.send(SSE)
        while True:
            await request.send(piece("A"))
            await asyncio.sleep(0.02)

    text, error = await told(RemoteServer(dripping), ask(seconds=2))
    assert error.code == "answer_timeout"
    assert set(text) == {"A"}


async def test_closing_the_fleet_ends_open_answers():
    async with fleet_of(RemoteServer(hanging_after(SSE, piece("A")))) as fleet:
        await fleet.ensure_ready(time.monotonic() + PATIENCE)
        answer = fleet.complete(ask())
        await anext(answer)
        following = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)
        await fleet.close()
        with pytest.raises(XnaiError) as caught:
            await following
    assert caught.value.code == "shutting_down"


@asynccontextmanager
async def black_hole():
    """The address of a machine that answers no connection: its line is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for filler in fillers:
            filler.close()


async def test_an_address_that_swallows_connections_is_told_apart_from_one_that_refuses_them():
    async with black_hole() as url:
        fleet = Router(settings(url, **QUICK))
        with pytest.raises(XnaiError) as swallowed:
            await fleet.ensure_ready(time.monotonic() + PATIENCE)
        await fleet.close()
    fleet = Router(settings(url, **QUICK))
    with pytest.raises(XnaiError) as refused:
        await fleet.ensure_ready(time.monotonic() + PATIENCE)
    await fleet.close()
    assert swallowed.value.code == "remote_connect_timeout"
    assert refused.value.code == "remote_unreachable"
    assert "nothing listens there" in str(refused.value)


async def test_a_name_that_is_not_known_is_said():
    fleet = Router(settings("http://no-such-host.invalid:80"))
    with pytest.raises(XnaiError, match="cannot be reached: its name is not known"):
        await fleet.ensure_ready(time.monotonic() + 20)
    await fleet.close()


async def test_https_where_there_is_none_is_said():
    async def plain(_, writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        fleet = Router(settings(f"https://127.0.0.1:{port}"))
        with pytest.raises(XnaiError, match="does not speak TLS"):
            await fleet.ensure_ready(time.monotonic() + PATIENCE)
        await fleet.close()


async def test_the_key_and_the_words_are_in_no_log_line():
    server = RemoteServer(refusing(500))
    with structlog.testing.capture_logs() as lines:
        async with fleet_of(server, llm_api_key="k1-secret") as fleet:
            with pytest.raises(XnaiError):
                await collect(fleet, ask(content="my words"))
    assert lines
    assert not [line for line in lines if "k1-secret" in str(line) or "my words" in str(line)]


async def test_what_follows_the_end_of_an_answer_does_not_matter():
    for tail in (DONE + "data: garbage\n\n", usage(7, 2, 3)):
        async with fleet_of(RemoteServer(saying(SSE, piece("A", "stop"), tail))) as fleet:
            assert isinstance((await collect(fleet))[-1], Finished)
    chat = hanging_after(SSE, piece("A", "stop"))
    async with fleet_of(RemoteServer(chat), **QUICK) as fleet:
        assert isinstance((await collect(fleet))[-1], Finished)
