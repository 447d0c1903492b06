"""What clients that go, stop, or come in crowds cost the server.

    python bench/streams.py moments [--count 200]   from leaving, and from Stop, to the end
    python bench/streams.py leaks [--count 1000]    what connect-ask-leave cycles leave behind
    python bench/streams.py crowd [--count 50]      as many chats at once, and the page meanwhile

It drives pages against a server of its own; the engine must be built.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import socketio

from rig.page import STORY, Page, figure
from rig.waiting import eventually
from rig.whole_server import Server

WARM_UP = 100  # cycles before the first look
AT_ONCE = 8
SETTLED = 30  # seconds; engine.io keeps a timer of 25 s for every socket, open or not


class TimedPage(Page):
    """A page that knows when it was last shown new text."""

    last_text = 0.0

    def _token(self, data: dict[str, Any]) -> None:
        self.last_text = time.perf_counter()
        super()._token(data)


@contextlib.asynccontextmanager
async def serving(**environment: str) -> AsyncIterator[Server]:
    """A server with the bundled model and an empty data folder."""
    with tempfile.TemporaryDirectory() as folder:
        common = {"XNAI_LOG_FORMAT": "json", "XNAI_DISCONNECT_GRACE": "0"}
        server = Server(Path(folder), {**common, **environment})
        server.start()
        await asyncio.to_thread(server.wait, model="ready")
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)


def spread(name: str, seconds: list[float]) -> None:
    """Print quantiles in milliseconds."""
    ranked = sorted(1000 * value for value in seconds)
    p50, p99 = statistics.median(ranked), ranked[int(0.99 * (len(ranked) - 1))]
    print(f"{name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {ranked[-1]:.0f} ms, n={len(ranked)}")


async def moments(count: int) -> None:
    """Half of the pages leave and half press Stop, each at a random moment of the answer."""
    freed: list[float] = []
    stopped: list[float] = []
    async with serving() as server:
        while len(freed) + len(stopped) < count:
            page = TimedPage(server)
            await page.open()
            await page.ask(STORY, max_tokens=400)
            await asyncio.sleep(random.uniform(0.02, 1.5))
            if len(freed) <= len(stopped):
                freed += await time_to_free(page)
            else:
                stopped += await time_to_stop(page)
            await page.close()
            await page.http.aclose()
    spread("from the socket's end (no grace) to the model's place free", freed)
    spread("from Stop to the last text shown", stopped)


async def time_to_free(page: TimedPage) -> list[float]:
    """Seconds until the engine works on nothing; empty if the answer was complete before."""
    async with httpx.AsyncClient(base_url=page.server.url) as client:
        await running(client)  # the connection is open
        began = time.perf_counter()
        await page.abort()
        while " 0.0" not in await running(client):
            pass
    seconds = time.perf_counter() - began
    return [seconds] if await page.ended() == "disconnected" else []


async def running(client: httpx.AsyncClient) -> str:
    """The line of /metrics with the number of requests that the model works on."""
    text = (await client.get("/metrics")).text
    return text.split("\nxnai_requests_running")[1].split("\n")[0]


async def time_to_stop(page: TimedPage) -> list[float]:
    """Seconds that text still came; empty if the answer was complete before."""
    began = time.perf_counter()
    await page.emit("stop")
    if await page.ended() != "stopped":
        return []
    await page.until(lambda: not page.loading, "the end of the indicator")
    return [max(0.0, page.last_text - began)]


@dataclass(frozen=True, slots=True)
class Look:
    """What a server holds while nobody is there."""

    tasks: float
    threads: int
    descriptors: int
    sessions: float
    running: float
    folders: int
    resident_mb: float


async def look(server: Server) -> Look:
    """Wait until the last session has expired, then count."""
    await eventually(lambda: figure(server, "xnai_sessions") == 0, "all sessions ended", 60)
    await eventually(lambda: figure(server, "xnai_streams_active") == 0, "all streams ended", 60)
    await asyncio.sleep(SETTLED)
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    uploads = server.folder / "data" / "uploads"
    return Look(
        tasks=figure(server, "xnai_tasks"),
        threads=process.num_threads(),
        descriptors=process.num_fds(),
        sessions=figure(server, "xnai_sessions"),
        running=figure(server, "xnai_requests_running"),
        folders=sum(1 for path in uploads.iterdir() if not path.name.startswith(".")),
        resident_mb=process.memory_info().rss / 1e6,
    )


async def cycle(server: Server, http: httpx.AsyncClient) -> None:
    """Connect, ask, and leave in a random way at a random moment."""
    page = Page(server)
    await page.http.aclose()
    page.http = http
    await page.open()
    files = [b"The keepers bake bread on Tuesdays."] if random.random() < 0.2 else []
    await page.ask(random.choice([STORY, "Say yes.", "Who bakes?"]), *files, max_tokens=200)
    await asyncio.sleep(random.uniform(0, 0.8))
    way = random.randrange(4)
    if way == 0:
        await page.emit("clear_session")
        await asyncio.sleep(0.05)
    if way == 1:
        await page.emit("stop")
    if way == 2:
        await page.abort()
    await page.close()


async def leaks(count: int) -> None:
    """Compare what is held before and after so many cycles."""
    async with serving(XNAI_SESSION_TIMEOUT="1") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            (await http.post("/auth/header")).raise_for_status()
            await cycles(server, http, WARM_UP)
            before = await look(server)
            await cycles(server, http, count)
        after = await look(server)
        errors = [line for line in server.log.splitlines() if '"level": "error"' in line]
    print(f"before: {before}\nafter {count} cycles: {after}")
    print(f"memory growth: {after.resident_mb - before.resident_mb:.1f} MB")
    print(f"errors in the log: {len(errors)}")


async def cycles(server: Server, http: httpx.AsyncClient, count: int) -> None:
    """Several pages at a time, so many cycles in all."""
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for number in left:
            try:
                await cycle(server, http)
            except (socketio.exceptions.ConnectionError, httpx.HTTPError, AssertionError) as exc:
                # A virtual machine that is paused meanwhile makes every time limit run out.
                print(f"a cycle failed: {exc!r}")
            if number % 100 == 99:
                print(f"\r{number + 1} cycles ", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    print(file=sys.stderr)


async def crowd(count: int) -> None:
    """So many chats ask at once; meanwhile somebody loads the page."""
    async with serving() as server:
        pages = [await Page(server).open() for _ in range(count)]
        probing = asyncio.create_task(probe(server))
        began = time.perf_counter()
        await asyncio.gather(
            *(page.ask(f"{STORY} {i}", max_tokens=64) for i, page in enumerate(pages))
        )
        states = [await asyncio.wait_for(page.ended(), 300) for page in pages]
        seconds = time.perf_counter() - began
        probing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await probing
        for page in pages:
            await page.close()
            await page.http.aclose()
        lagged = [line for line in server.log.splitlines() if "the event loop lags" in line]
    ends = {state: states.count(state) for state in sorted(set(states))}
    print(f"{count} chats at once: {ends} in {seconds:.1f} s")
    for name, times in _probed.items():
        spread(f"GET {name} meanwhile", times)
    print(f"stalls of the event loop that were logged: {len(lagged)}", *lagged, sep="\n  ")


_probed: dict[str, list[float]] = {"/health/ready": [], "/": [], "/public/xnai.js": []}


async def probe(server: Server) -> None:
    """Ask for what the page asks for, a few times a second."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        while True:
            for name, times in _probed.items():
                began = time.perf_counter()
                (await client.get(name)).raise_for_status()
                times.append(time.perf_counter() - began)
                await asyncio.sleep(0.05)


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["moments", "leaks", "crowd"])
    parser.add_argument("--count", type=int, default=0)
    options = parser.parse_args()
    chosen, usual = {"moments": (moments, 200), "leaks": (leaks, 1000), "crowd": (crowd, 50)}[
        options.what
    ]
    asyncio.run(chosen(options.count or usual))


if __name__ == "__main__":
    main()
