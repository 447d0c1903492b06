"""Several model endpoints: which is asked, which is passed over, what is said of them."""

import asyncio
import time
from contextlib import aclosing, asynccontextmanager

import pytest
from remote_server import (
    DONE,
    SSE,
    Answer,
    RemoteServer,
    hanging_after,
    listening,
    piece,
    refusing,
    saying,
    settings,
)

from rig.dependency import due
from rig.waiting import PATIENCE, eventually
from xnai.breakers import config, heals, retry_after, words
from xnai.errors import REMOTE_PAUSED, Instead, XnaiError
from xnai.llm.protocol import Completion, Finished, Queued, TokenText
from xnai.llm.remote.router import Router
from xnai.observability import metrics
from xnai.resilience.breaker import Breaker
from xnai.resilience.retry import Retry, RetryConfig
from xnai.resilience.states import State
from xnai.types import Message, Sampling

CALM = {"llm_first_token_timeout": 0.3, "llm_token_timeout": 0.3}


def listed(*names: object, owner: str = "acme", **more: object):
    return {"data": [{"id": name, "owned_by": owner, **more} for name in names]}


def server(text="A", chat=None, models=None):
    return RemoteServer(chat or saying(SSE, piece(text, "stop"), DONE), models or listed("tiny"))


@asynccontextmanager
async def fleet_of(
    *servers: RemoteServer, ready: bool = True, retry: Retry | None = None, **values: object
):
    async with listening(*servers):
        urls = [server.url for server in servers]
        fleet = Router(settings(*urls, **{**CALM, **values}), retry=retry)
        try:
            if ready:
                await asyncio.gather(*(endpoint.check() for endpoint in fleet._endpoints))
            yield fleet
        finally:
            await fleet.close()


def ask(user="u", seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    return Completion("r", user, (Message("user", "Hi"),), Sampling(max_tokens=10), deadline)


async def answer(fleet, user="u"):
    async with aclosing(fleet.complete(ask(user))) as events:
        found = [event async for event in events]
    assert isinstance(found[-1], Finished)
    return "".join(event.text for event in found if isinstance(event, TokenText))


async def error_of(awaitable):
    with pytest.raises(XnaiError) as caught:
        await awaitable
    return caught.value


async def test_a_user_stays_with_one_endpoint_and_many_users_use_all():
    servers = [server("A"), server("B"), server("C")]
    async with fleet_of(*servers, llm_first_token_timeout=5) as fleet:
        assert len({await answer(fleet, "one") for _ in range(6)}) == 1
        assert {await answer(fleet, f"user {n}") for n in range(40)} == {"A", "B", "C"}


async def test_the_endpoint_with_the_least_to_do_for_its_slots_is_asked():
    large = server(models=listed("tiny", owner="llamacpp"), chat=hanging_after(SSE, piece("L")))
    large.paths["/props"] = lambda request: request.json({"total_slots": 3})
    small = server(chat=hanging_after(SSE, piece("S")))
    patient = {"llm_token_timeout": 5, "llm_first_token_timeout": 5}
    async with fleet_of(large, small, **patient) as fleet:
        answers = [fleet.complete(ask()) for _ in range(4)]
        begun = [(await anext(events)).text for events in answers]
        for events in answers:
            await events.aclose()
    assert sorted(begun) == ["L", "L", "L", "S"]


@pytest.mark.parametrize(
    "chat",
    [
        refusing(500),
        refusing(401),
        refusing(404, {"error": {}}),
        refusing(429, Retry_After="30"),
        saying("garbage\r\n\r\n"),
        saying(SSE),
        saying(SSE, DONE),
        hanging_after(SSE),
        saying(SSE, ": queued 2\n\n", ": reading 1/2\n\n"),
    ],
)
async def test_before_the_first_text_the_next_endpoint_takes_over(chat):
    sick = server(chat=chat)
    async with fleet_of(sick, server("B"), server("B")) as fleet:
        assert [await answer(fleet, f"user {n}") for n in range(40)] == 40 * ["B"]
    assert len(sick.asked) == 1  # having failed it is the last choice for a while


async def test_after_the_first_text_no_other_endpoint_is_asked():
    servers = [server(chat=saying(SSE, piece("half"))), server(chat=saying(SSE, piece("half")))]
    async with fleet_of(*servers) as fleet:
        assert (await error_of(answer(fleet))).code == "remote_broke_off"
    assert sum(len(each.asked) for each in servers) == 1


def once_more() -> Retry:
    return Retry("endpoints", RetryConfig(heals, retry_after, words, attempts=2, first=0.01))


def failing_once(*parts: bytes | str):
    """Breaks off after some parts, the first time it is asked; then it answers."""
    answers = [saying(SSE, *parts), saying(SSE, piece("B", "stop"), DONE)]

    async def chat(request) -> None:
        await answers.pop(0)(request)

    return chat


async def test_when_all_endpoints_have_failed_they_are_gone_round_once_more():
    one = server(chat=failing_once(": queued 2\n\n"))
    async with fleet_of(one, retry=once_more()) as fleet:
        assert await answer(fleet) == "B"
    assert len(one.asked) == 2


async def test_after_the_first_text_endpoints_are_not_gone_round_again():
    one = server(chat=failing_once(piece("half")))
    async with fleet_of(one, retry=once_more()) as fleet:
        assert (await error_of(answer(fleet))).code == "remote_broke_off"
    assert len(one.asked) == 1


async def test_an_answer_that_is_closed_is_not_begun_again():
    one = server(chat=hanging_after(SSE, ": queued 2\n\n"))
    async with fleet_of(one, retry=once_more(), llm_first_token_timeout=5) as fleet:
        async with aclosing(fleet.complete(ask())) as events:
            assert isinstance(await anext(events), Queued)
        assert fleet.status.running == fleet.status.waiting == 0
    assert len(one.asked) == 1


async def test_a_question_that_is_too_long_is_asked_once():
    chat = refusing(400, {"error": {"type": "exceed_context_size_error"}})
    servers = [server(chat=chat), server(chat=chat)]
    async with fleet_of(*servers) as fleet:
        assert (await error_of(answer(fleet))).code == "question_too_long"
    assert sum(len(each.asked) for each in servers) == 1


async def test_each_endpoint_is_tried_once_and_the_last_error_is_told():
    servers = [server(chat=refusing(500)) for _ in range(3)]
    async with fleet_of(*servers) as fleet:
        assert (await error_of(answer(fleet))).code == "model_down"
        await fleet.ensure_ready(time.monotonic() + PATIENCE)  # one failure denies nobody anything
    assert [len(each.asked) for each in servers] == [1, 1, 1]


async def test_when_none_can_be_reached_each_is_named():
    servers = [server() for _ in range(3)]
    for each in servers:
        each.paths["/v1/models"] = refusing(500)
    async with fleet_of(*servers, ready=False) as fleet:
        told = await error_of(fleet.ensure_ready(time.monotonic() + PATIENCE))
    assert told.code == "remote_all_down"
    assert [each.name for each in servers if each.name not in str(told)] == []


async def test_any_number_of_callers_probe_an_endpoint_once():
    async def slow(request) -> None:
        await asyncio.sleep(0.1)
        await request.json(listed("tiny"))

    only = RemoteServer(paths={"/v1/models": slow})
    async with fleet_of(only, ready=False) as fleet:
        deadline = time.monotonic() + PATIENCE
        await asyncio.gather(*(fleet.ensure_ready(deadline) for _ in range(20)))
        await fleet.ensure_ready(deadline)
    assert [request.path for request in only.requests] == ["/v1/models"]


async def test_a_caller_that_gives_up_leaves_the_probe_to_the_others():
    release = asyncio.Event()

    async def slow(request) -> None:
        await release.wait()
        await request.json(listed("tiny"))

    only = RemoteServer(paths={"/v1/models": slow})
    async with fleet_of(only, ready=False) as fleet:
        hasty = asyncio.create_task(fleet.ensure_ready(time.monotonic() + PATIENCE))
        patient = asyncio.create_task(fleet.ensure_ready(time.monotonic() + PATIENCE))
        await eventually(lambda: only.requests)
        hasty.cancel()
        release.set()
        await patient
        assert fleet.status.state == "ready"


async def test_being_ready_waits_for_the_quickest_endpoint_only():
    async with fleet_of(
        RemoteServer(paths={"/v1/models": hanging_after()}), server(), ready=False
    ) as fleet:
        begun = time.monotonic()
        await fleet.ensure_ready(begun + PATIENCE)
        assert time.monotonic() - begun < 5  # of the ten that a probe may take


@pytest.mark.slow
async def test_an_endpoint_that_comes_back_is_found_by_the_probes():
    flaky = server()
    flaky.paths["/v1/models"] = refusing(503, Retry_After="1")
    async with fleet_of(flaky, ready=False) as fleet:
        await fleet.start()
        error = await error_of(fleet.ensure_ready(time.monotonic() + 2))
        assert (error.code, fleet.status.state) == ("model_down", "down")
        assert 0 < fleet.status.retry_in <= 1
        del flaky.paths["/v1/models"]
        await eventually(lambda: fleet.status.state == "ready")
        assert await answer(fleet) == "A"


async def test_the_status_goes_from_asking_to_ready_and_names_the_model():
    async with fleet_of(server(), server(models=listed("tiny", "large")), ready=False) as fleet:
        assert fleet.status.state == "loading"
        await asyncio.gather(*(endpoint.check() for endpoint in fleet._endpoints))
        assert (fleet.status.state, fleet.status.name) == ("ready", "tiny")
        assert fleet.status.detail == "2 of 2 model endpoints can answer"
        assert [info.name for info in fleet.models()] == ["tiny", "large"]
        assert [each.state for each in fleet.endpoints] == ["ready", "ready"]


async def test_another_model_is_asked_for_only_where_it_is():
    both, one = server("B", models=listed("tiny", "large")), server("O")
    async with fleet_of(both, one) as fleet:
        await fleet.use("large")
        assert {await answer(fleet, f"user {n}") for n in range(10)} == {"B"}
        assert fleet.status.name == "large"
        error = await error_of(fleet.use("huge"))
    assert {body["model"] for body in both.asked} == {"large"}
    assert (error.code, error.values["available"]) == ("remote_model_unknown", "tiny, large")


async def test_another_xnai_is_asked_for_its_default_and_for_no_documents():
    other = server(models={**listed("a", "b", owner="xnai"), "default": "b"})
    other.paths["/health/ready"] = lambda request: request.json({"model": "ready"})
    async with fleet_of(other) as fleet:
        await answer(fleet)
        assert fleet.status.name == "b"
    assert (other.asked[0]["model"], other.asked[0]["retrieval"]) == ("default", False)


@pytest.mark.parametrize(("state", "usable"), [("preparing", 0), ("down", 0), ("loading", 1)])
async def test_another_xnai_is_asked_only_if_its_model_can_come(state, usable):
    other = server(models=listed("a", owner="xnai"))
    other.paths["/health/ready"] = lambda request: request.json({"model": state})
    async with fleet_of(other) as fleet:
        assert len(fleet._pool.usable()) == usable


@pytest.mark.parametrize(
    ("models", "paths", "context", "parameters"),
    [
        (listed("m"), {}, 4096, 0),
        (listed("m", owner="me"), {}, 2048, 0),
        (listed("m", owner="vllm", max_model_len=8000), {}, 8000, 0),
        (listed("m", owner="xnai", context=3000, parameters=5), {}, 3000, 5),
        (listed("m", owner="llamacpp", meta={"n_ctx": 777, "n_params": 9}), {}, 777, 9),
        (
            listed("m", owner="llamacpp", meta={"n_params": 9}),
            {"/props": {"default_generation_settings": {"n_ctx": 555}}},
            555,
            9,
        ),
        (listed("m", max_model_len=-5, parameters="x", meta=[]), {}, 4096, 0),
    ],
)
async def test_context_and_weights_are_what_the_endpoint_tells(models, paths, context, parameters):
    def telling(value) -> Answer:
        return lambda request: request.json(value)

    paths = {"/health/ready": {"model": "ready"}, **paths}
    told = RemoteServer(models=models, paths={p: telling(v) for p, v in paths.items()})
    async with fleet_of(told) as fleet:
        assert (fleet.context_tokens, fleet.parameters) == (context, parameters)
    async with fleet_of(told, llm_context=99) as fleet:
        assert fleet.context_tokens == 99


@pytest.mark.parametrize("models", [[], {}, {"data": 5}, 7])
async def test_what_lists_no_models_is_no_such_server(models):
    async with fleet_of(server(models=models or [1])) as fleet:
        assert fleet.endpoints[0].error_code == "remote_garbled"


async def test_hostile_names_are_made_fit_to_be_shown():
    name = "evil\x1b[31m\n" + "x" * 300
    async with fleet_of(server(models=listed(name, "y" * 501, 5))) as fleet:
        [info] = fleet.models()
        assert info.name.isprintable()
        assert len(info.name) == 100
        await fleet.use(info.name)
        await answer(fleet)


async def test_a_server_without_a_list_is_asked_for_the_model_of_the_setting():
    bare = server()
    bare.paths["/v1/models"] = refusing(404, [])
    async with fleet_of(bare, llm_model="mine") as fleet:
        assert await answer(fleet) == "A"
    assert bare.asked[0]["model"] == "mine"


async def test_llama_cpp_server_which_breaks_off_for_others_gets_one_request_at_a_time():
    release = asyncio.Event()

    async def slow(request) -> None:
        await request.send(SSE, piece("A"))
        await release.wait()
        await request.send(piece("B", "stop"), DONE)

    only = server(chat=slow, models=listed("m", owner="me"))
    only.paths["/extras/tokenize/count"] = lambda request: request.json({"count": 1})
    async with fleet_of(only, llm_token_timeout=5) as fleet:
        first, second, third = (fleet.complete(ask()) for _ in range(3))
        assert await anext(first) == TokenText("A")
        asked = len(only.requests)
        assert await anext(second) == Queued(1)
        assert await anext(third) == Queued(2)
        assert await fleet.count_tokens(["four words of text"]) == [9]
        await fleet._endpoints[0].check()
        assert len(only.requests) == asked
        await second.aclose()
        assert await anext(third) == Queued(1)
        release.set()
        assert [type(event) async for event in first] == [TokenText, Finished]
        assert [type(event) async for event in third] == [TokenText, TokenText, Finished]
    assert len(only.asked) == 2


async def test_more_answers_than_the_queue_takes_are_refused():
    busy = server(chat=hanging_after(SSE, piece("A")))
    async with fleet_of(busy, queue_limit=2, llm_token_timeout=5) as fleet:
        answers = [fleet.complete(ask()) for _ in range(2)]
        for events in answers:
            await anext(events)
        assert (fleet.status.running, fleet.status.waiting) == (2, 0)
        assert (await error_of(answer(fleet))).code == "queue_full"
        for events in answers:
            await events.aclose()
        assert fleet.status.running == 0


async def test_answers_are_counted_by_endpoint_and_result():
    one = server()

    def count(result) -> float:
        return metrics.remote_answers.labels(one.name, result).value

    async with fleet_of(one) as fleet:
        await answer(fleet)
        one.chat = saying(SSE, piece("A"))
        await error_of(answer(fleet))
        one.chat = hanging_after(SSE, piece("A"))
        events = fleet.complete(ask())
        await anext(events)
        assert metrics.remote_in_flight.labels(one.name).value == 1
        await events.aclose()
    assert [count(result) for result in ("answered", "failed", "cancelled")] == [1, 1, 1]
    assert metrics.remote_in_flight.labels(one.name).value == 0


async def test_the_passages_are_still_shown_whatever_is_wrong_with_an_endpoint():
    for chat in (refusing(401), refusing(429), saying(SSE), hanging_after()):
        async with fleet_of(server(chat=chat)) as fleet:
            assert (await error_of(answer(fleet))).kind.degrade_to is Instead.PASSAGES


@pytest.mark.parametrize(
    ("owner", "paths"),
    [
        ("llama-server", {"/tokenize": {"tokens": [1, 2, 3]}, "/apply-template": {"prompt": "x"}}),
        ("vllm", {"/tokenize": {"count": 3, "max_model_len": 9, "tokens": [1, 2, 3]}}),
    ],
)
async def test_tokens_are_counted_by_the_endpoint(owner, paths):
    counting = server(models=listed("m", owner=owner.replace("llama-server", "llamacpp")))
    for path, value in paths.items():
        counting.paths[path] = lambda request, value=value: request.json(value)
    async with fleet_of(counting) as fleet:
        assert await fleet.count_tokens(["a b", "c d"]) == [3, 3]
        assert await fleet.count_prompt([Message("user", "x")]) == 3
        assert await fleet.count_tokens([]) == []


async def test_llama_cpp_server_counts_the_texts_and_the_template_is_estimated():
    counting = server(models=listed("m", owner="me"))
    counting.paths["/extras/tokenize/count"] = lambda request: request.json({"count": 3})
    async with fleet_of(counting) as fleet:
        assert await fleet.count_tokens(["abc"]) == [3]
        assert await fleet.count_prompt([Message("user", "abc")]) == 3 + 8 + 32


@pytest.mark.parametrize(
    "reply",
    [{"count": -1}, {"count": True}, {"count": 10**9}, {"tokens": 5}, [], "x", {"count": 1.5}],
)
async def test_a_count_that_cannot_be_is_replaced_by_an_estimate(reply):
    lying = server(models=listed("m", owner="vllm"))
    lying.paths["/tokenize"] = lambda request: request.json(reply)
    async with fleet_of(lying) as fleet:
        assert await fleet.count_tokens(["four words of text"]) == [9]
        assert await fleet.count_prompt([Message("user", "four words of text")]) == 9 + 8 + 32
    assert sum(request.path == "/tokenize" for request in lying.requests) == 1


async def test_an_endpoint_that_breaks_off_again_and_again_is_not_asked_for_a_while():
    dying = server(chat=saying(SSE, piece("Hel")))
    made = []

    def breaker_of(name: str) -> Breaker:
        values = settings(dying.url, breaker_failures=3, breaker_open_seconds=2)
        made.append(Breaker(name, config(values)))
        return made[-1]

    async with listening(dying):
        fleet = Router(settings(dying.url, **CALM), breaker_of)
        await fleet._endpoints[0].check()
        codes = [(await error_of(answer(fleet))).code for _ in range(3)]
        told = await error_of(fleet.ensure_ready(time.monotonic() + PATIENCE))
        asked = len(dying.requests)
        refused = await error_of(answer(fleet))

        assert ["remote_broke_off"] * 3 == codes
        assert ["remote_paused"] * 2 == [told.code, refused.code]
        assert 0 < told.retry_after <= 2
        assert asked == len(dying.requests)
        assert "3 calls in a row failed" in fleet.status.detail
        assert REMOTE_PAUSED.degrade_to is Instead.PASSAGES

        dying.chat = saying(SSE, piece("A", "stop"), DONE)
        await due(made[0])
        assert await answer(fleet) == "A"
        assert made[0].state is State.CLOSED
        await fleet.close()


async def test_a_question_that_is_too_long_opens_no_breaker():
    long = server(chat=refusing(400, {"error": {"code": "context_length_exceeded"}}))
    async with listening(long):
        one = Breaker("dep", config(settings(long.url, breaker_failures=1)))
        fleet = Router(settings(long.url, **CALM), lambda _: one)
        await fleet._endpoints[0].check()
        codes = {(await error_of(answer(fleet))).code for _ in range(3)}
        await fleet.close()

    assert {"question_too_long"} == codes
    assert one.state is State.CLOSED
