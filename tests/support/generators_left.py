"""Asks endpoints that answer badly, and reads some answers to half, under Chainlit's event loop.

Prints a line of JSON for each kind: generators that were left to the collector, descriptors more
than before, and connections that the endpoint still had. No hook ends what was left, as under
nest_asyncio.
"""

import asyncio
import gc
import json
import sys
import time
from contextlib import aclosing, suppress
from pathlib import Path

import nest_asyncio

SUPPORT = Path(__file__).resolve().parent
sys.path[:0] = [str(SUPPORT.parents[1]), str(SUPPORT)]

from remote_server import DONE, SSE, RemoteServer, hanging_after, listening, piece, settings, usage

from rig.waiting import eventually
from xnai.llm.protocol import Completion
from xnai.llm.remote.router import Router
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.types import Message, Sampling

ROUNDS = 12
CHUNKED = SSE.replace("Connection: close", "Transfer-Encoding: chunked")


def chunk(text: str) -> str:
    return f"{len(text.encode()):x}\r\n{text}\r\n"


BAD = {
    "no json": (SSE, "data: {bad\n\n"),
    "no json, in chunks": (CHUNKED, chunk("data: {bad\n\n")),
    "no json after text": (SSE, piece("A"), "data: {bad\n\n"),
    "a chunk without a length": (CHUNKED, chunk(piece("A")), "zz\r\n"),
    "far too long": (SSE, *[piece("A" * 60_000)] * 30),
    "a refusal without end": ("HTTP/1.1 500 X\r\n\r\n", "x" * 200_000),
    "silence": (SSE,),
    "goes on after its end": (SSE, piece("A", "stop"), usage(1, 1), DONE, "data: more\n\n" * 50),
}
HALF = {"reader goes": (CHUNKED, chunk(piece("A"))), "reader is cancelled": (SSE, piece("A"))}


async def ask(fleet, kind):
    deadline = time.monotonic() + 5
    message = (Message("user", "Hi"),)
    completion = Completion("r", "u", message, Sampling(max_tokens=10), deadline)
    async with aclosing(fleet.complete(completion)) as events:
        async for _ in events:
            if kind == "reader goes":
                break
            if kind == "reader is cancelled":
                asyncio.current_task().cancel()


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def play(kind, parts):
    left = []
    sys.set_asyncgen_hooks(finalizer=lambda gen: left.append(gen.ag_code.co_qualname))
    server = RemoteServer(hanging_after(*parts))
    async with listening(server):
        calm = {"llm_first_token_timeout": 0.3, "llm_token_timeout": 0.5}
        fleet = Router(
            settings(server.url, **calm),
            lambda name: Breaker(name, Config(streak=0, min_calls=10**6)),
        )
        await fleet._endpoints[0].check()
        before = descriptors()
        for _ in range(ROUNDS):
            with suppress(asyncio.CancelledError):
                await asyncio.gather(asyncio.create_task(ask(fleet, kind)), return_exceptions=True)
        gc.collect()
        with suppress(AssertionError):  # said below; the endpoint's side closes once it has seen it
            await eventually(lambda: descriptors() <= before, seconds=2)
        figures = {
            "left": sorted(set(left)),
            "more": descriptors() - before,
            "asked": len(server.asked),
        }
        await fleet.close()
    print(json.dumps({"kind": kind, **figures}), flush=True)


async def main():
    for kind, parts in {**BAD, **HALF}.items():
        await play(kind, parts)


nest_asyncio.apply()
asyncio.run(main())
