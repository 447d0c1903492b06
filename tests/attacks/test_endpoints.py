"""Attacks on what asks model endpoints: ill answers, blips, connections that close at once."""

import asyncio
import json
import sys
import time
from contextlib import aclosing, asynccontextmanager

import pytest
from paths import SUPPORT
from remote_server import (
    DONE,
    SSE,
    RemoteServer,
    hanging_after,
    listening,
    piece,
    refusing,
    saying,
    settings,
)

from rig.dependency import due
from xnai.breakers import config, heals, retry_after, words
from xnai.errors import XnaiError
from xnai.llm.protocol import Completion, TokenText
from xnai.llm.remote.router import Router
from xnai.resilience.breaker import Breaker
from xnai.resilience.retry import Retry, RetryBudget, RetryConfig
from xnai.types import Message, Sampling

GOOD = (SSE, piece("A", "stop"), DONE)


@asynccontextmanager
async def asking(*servers, budget=None, **values):
    """The router with retries, as the program has it.

    Its limits are short, since some servers hang, and long enough for one that is well, asked by
    thirty at once on a machine that has other work.
    """
    calm = {"llm_first_token_timeout": 3.0, "llm_token_timeout": 3.0, "breaker_open_seconds": 0.2}
    async with listening(*servers):
        told = settings(*(server.url for server in servers), **{**calm, **values})
        rules = RetryConfig(heals, retry_after, words, attempts=2, first=0.01)
        retry = Retry("endpoints", rules, budget)
        model = Router(told, lambda name: Breaker(name, config(told)), retry)
        try:
            await model.ensure_ready(time.monotonic() + 60)
            await asyncio.gather(*(endpoint.check() for endpoint in model._endpoints))
            yield model
        finally:
            await model.close()


async def answer(model, user="u", seconds=60.0):
    """The text, or the code of the error."""
    sampling, deadline = Sampling(max_tokens=10), time.monotonic() + seconds
    completion = Completion("r", user, (Message("user", "Hi"),), sampling, deadline)
    try:
        await model.ensure_ready(deadline)
        async with aclosing(model.complete(completion)) as events:
            return "".join([e.text async for e in events if isinstance(e, TokenText)])
    except XnaiError as exc:
        return exc.code


async def test_no_generator_and_no_connection_is_left_behind_under_chainlits_loop():
    program = SUPPORT / "generators_left.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        printed, _ = await process.communicate()
    lines = [line for line in printed.decode().splitlines() if line.startswith("{")]
    found = {told.pop("kind"): told for told in map(json.loads, lines)}

    assert process.returncode == 0
    assert len(found) == 10
    assert {k: v for k, v in found.items() if v["left"] or v["more"] > 0} == {}
    assert min(told["asked"] for told in found.values()) > 6  # where the machine is busy, not all


async def test_the_running_program_ends_generators_of_others_too():
    program = (
        "import nest_asyncio, asyncio; nest_asyncio.apply()\n"
        "from xnai.aio import install_asyncgen_hooks\n"
        "ended = []\n"
        "async def items():\n"
        "    try:\n"
        "        yield 1\n"
        "    finally:\n"
        "        await asyncio.sleep(0); ended.append(True)\n"
        "async def main():\n"
        "    install_asyncgen_hooks()\n"
        "    await anext(items())\n"
        "    for _ in range(5): await asyncio.sleep(0)\n"
        "    print(ended)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert printed == b"[True]\n"


async def test_a_blip_of_many_failures_keeps_nobody_out_longer_than_the_breaker_does():
    one = RemoteServer(refusing(500))
    async with asking(one, llm_first_token_timeout=10.0) as model:
        codes = await asyncio.gather(*(answer(model, f"user {n}", 30.0) for n in range(40)))
        assert set(codes) <= {"model_down", "remote_paused"}
        one.chat = saying(*GOOD)
        (breaker,) = model._pool._breakers.values()
        await due(breaker)
        assert await answer(model) == "A"


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_one_failure_denies_nobody_anything(status):
    one = RemoteServer(refusing(status))
    async with asking(one) as model:
        assert await answer(model) == "model_down"
        one.chat = saying(*GOOD)
        assert await answer(model, "another") == "A"


SICK = {
    "500": refusing(500),
    "503 with a time": refusing(503, Retry_After="60"),
    "429": refusing(429, Retry_After="60"),
    "closes at once": saying(),
    "garbage": saying("garbage\r\n\r\n"),
    "breaks off": saying(SSE),
    "hangs": hanging_after(SSE),
}


@pytest.mark.parametrize("chat", SICK.values(), ids=SICK)
async def test_with_one_of_two_endpoints_sick_every_question_is_answered(chat):
    sick, well = RemoteServer(chat), RemoteServer(saying(*GOOD))
    async with asking(sick, well, queue_limit=64) as model:
        at_once = await asyncio.gather(*(answer(model, f"user {n}") for n in range(30)))
        one_by_one = [await answer(model, f"user {n}") for n in range(30)]
    assert [*at_once, *one_by_one] == ["A"] * 60


async def test_a_well_endpoint_that_had_a_blip_is_there_for_the_questions_of_a_sick_one():
    sick, blip = RemoteServer(refusing(500)), RemoteServer(refusing(500))
    async with asking(sick, blip, queue_limit=64) as model:
        await asyncio.gather(*(answer(model, f"user {n}") for n in range(20)))
        blip.chat = saying(*GOOD)
        await due(*model._pool._breakers.values())
        assert [await answer(model, f"user {n}") for n in range(30)] == ["A"] * 30


async def test_who_accepts_and_closes_sees_no_more_than_the_budget_permits():
    one = RemoteServer(saying())
    budget = RetryBudget(capacity=3, share=0.0, clock=lambda: 0.0)
    async with asking(one, budget=budget, breaker_failures=1000, breaker_failure_rate=1.0) as model:
        rules = model._pool._breakers
        model._pool._breakers = {name: Breaker(name) for name in rules}
        for each in model._pool._breakers.values():
            object.__setattr__(each.config, "min_calls", 10**6)
            object.__setattr__(each.config, "streak", 0)
        for n in range(20):
            assert await answer(model, f"user {n}") == "remote_broke_off"
    assert len(one.asked) == 20 + 3


async def test_a_kept_connection_that_was_closed_costs_no_question():
    kept = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    body = piece("A", "stop") + DONE
    whole = f"{kept}{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    budget = RetryBudget(capacity=0.0, share=0.0)
    one = RemoteServer(saying(whole))  # it closes after each answer, without a word of it
    async with asking(one, budget=budget) as model:
        assert [await answer(model, f"user {n}") for n in range(5)] == ["A"] * 5


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_refusal_that_names_a_time_is_tried_again_after_it(status):
    one = RemoteServer()
    times = []

    async def chat(request):
        times.append(time.monotonic())
        first = len(times) == 1
        await (refusing(status, Retry_After="0.3") if first else saying(*GOOD))(request)

    one.chat = chat
    async with asking(one) as model:
        assert await answer(model) == "A"
    assert times[1] - times[0] >= 0.3
