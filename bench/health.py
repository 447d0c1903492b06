"""How quickly /health/live and /health/ready answer, whatever the rest of the server is doing.

    python bench/health.py [--seconds 8] [--rounds 1]

Each situation is measured beside an empty Starlette application in a process of its own, asked by
the same client at the same time; all times are of one request on a new connection.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
from client import ask, request_body
from figures import judge, percentile
from prompts import distinct_chat

from rig.processes import free_port
from rig.redis_server import RedisServer, binaries
from rig.whole_server import Server

PAUSE = 0.02  # seconds between two rounds of requests
STORY = "The lamp of Norwick Lighthouse was replaced in October 1987.\n\n" + "\n\n".join(
    f"Chapter {n}. The keepers of tower {n} bake bread and write {7 * n} letters a year. " * 4
    for n in range(60)
)
Times = dict[str, list[float]]


def peer(port: int) -> None:
    """Serve one route of an empty Starlette application."""
    import uvicorn  # noqa: PLC0415 - in the child alone
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import JSONResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def live(_: object) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    app = Starlette(routes=[Route("/live", live)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextlib.contextmanager
def starlette() -> Iterator[int]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=peer, args=(port,), daemon=True)
    process.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.1)
    try:
        yield port
    finally:
        process.terminate()
        process.join(5)


async def timed_get(port: int, path: str) -> float:
    """Seconds of one request on a new connection."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    raw = await reader.read()
    took = time.perf_counter() - began
    writer.close()
    if b" 200 " not in raw[:20] and b" 503 " not in raw[:20]:
        raise RuntimeError(f"{path}: {raw[:200]!r}")
    return took


async def sample(server: Server, port: int, seconds: float) -> Times:
    """Ask all three in turn for a while."""
    times: Times = {"live": [], "ready": [], "starlette": []}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        times["live"].append(await timed_get(server.port, "/health/live"))
        times["ready"].append(await timed_get(server.port, "/health/ready"))
        times["starlette"].append(await timed_get(port, "/live"))
        await asyncio.sleep(PAUSE)
    return times


async def keep_asking(server: Server, file_id: str, client: int, *, documents: bool) -> None:
    number = 0
    while True:
        messages = distinct_chat(client, f"{time.time()}/{number}", 60)
        if documents:
            question = f"What do the keepers of tower {(client + number) % 60} write in a year?"
            messages = [{"role": "user", "content": question}]
        scope = {"document_ids": [file_id]} if documents else False
        await ask(server.port, request_body(messages, 64, retrieval=scope))
        number += 1


@contextlib.asynccontextmanager
async def twenty_questions(server: Server, file_id: str, *, documents: bool) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(keep_asking(server, file_id, client, documents=documents))
        for client in range(20)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def worker_pid(server: Server) -> int:
    assert server.process is not None
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "xnai.llm.worker.main" in " ".join(process.cmdline()):
            return process.pid
    raise RuntimeError("the worker does not run")


def tell(situation: str, times: Times) -> None:
    for name, values in times.items():
        p50, p99, top = (1000 * percentile(values, share) for share in (0.5, 0.99, 1.0))
        print(
            f"{situation:32} {name:10} p50 {p50:7.1f}  p99 {p99:7.1f}  max {top:7.1f} ms"
            f"  n={len(values)}",
            flush=True,
        )
    ratio = percentile(times["ready"], 0.99) / percentile(times["starlette"], 0.99)
    print(f"{'':32} ready against an empty Starlette, p99: {ratio:.2f}")
    judge(f"{situation}: ready p99 (ms)", 1000 * percentile(times["ready"], 0.99), "<=", 50)


async def measure(server: Server, redis: RedisServer, port: int, seconds: float) -> None:
    file_id = await asyncio.to_thread(server.upload, "story.txt", STORY.encode())
    await asyncio.sleep(3)
    tell("at rest", await sample(server, port, seconds))
    async with twenty_questions(server, file_id, documents=False):
        tell("20 plain questions", await sample(server, port, seconds))
    async with twenty_questions(server, file_id, documents=True):
        tell("20 questions about a document", await sample(server, port, seconds))
    assert redis.process is not None
    redis.signal(signal.SIGSTOP)
    tell("Redis stopped (SIGSTOP)", await sample(server, port, seconds))
    redis.signal(signal.SIGCONT)
    with stopped(worker_pid(server)):
        tell("the worker stopped (SIGSTOP)", await sample(server, port, seconds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8, help="of each situation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, starlette() as port:
        redis = RedisServer(binaries()["valkey"], Path(folder) / "redis").start()
        server = Server(Path(folder), {"XNAI_REDIS_URL": redis.url, "XNAI_LOG_LEVEL": "error"})
        server.start()
        try:
            server.wait(model="ready")
            httpx.get(f"{server.url}/health/live").raise_for_status()
            asyncio.run(measure(server, redis, port, options.seconds))
        finally:
            server.stop()
            redis.stop()


if __name__ == "__main__":
    main()
