"""Clients that read slowly or not at all: no memory grows, nobody else waits, and they are cut."""

import asyncio
import socket

import httpx
import psutil
import pytest
from stream_pages import Page, prepared
from ui_client import tidy_up

from rig.page import STORY
from rig.waiting import eventually

pytestmark = pytest.mark.engine

LIMIT = 2.0  # seconds


@pytest.fixture(scope="module")
def slow_server(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    running = prepared(server, folder, XNAI_SLOW_CLIENT_SECONDS=str(LIMIT))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


def cut(server) -> int:
    return server.log.count("took nothing and was cut off")


def stop_reading(page: Page) -> None:
    assert page.tab is not None
    page.tab.socket.eio.ws._response.connection.transport.pause_reading()


async def test_a_page_that_reads_nothing_and_asks_for_more_is_cut_off(slow_server):
    page = await Page(slow_server).open()
    await page.ask("Who bakes bread?", b"The keepers bake bread on Tuesdays.\n" * 400, max_tokens=8)
    await page.ended()
    memory = psutil.Process(slow_server.process.pid).memory_info
    before, already = memory().rss, cut(slow_server)
    stop_reading(page)

    peak = 0
    for _ in range(60):
        for _ in range(50):
            await page.emit("connection_successful")
        peak = max(peak, memory().rss)
        began = asyncio.get_running_loop().time()
        async with httpx.AsyncClient(base_url=slow_server.url) as client:
            await client.get("/health/live")
        assert asyncio.get_running_loop().time() - began < 1
        if cut(slow_server) > already:
            break

    await eventually(lambda: cut(slow_server) > already, "the cut", LIMIT + 8)
    assert peak - before < 40e6
    other = await Page(slow_server).open()
    await other.ask("Say yes.", max_tokens=4)
    assert await other.ended() == "completed"


async def test_a_page_that_stops_reading_for_a_while_gets_the_whole_text_afterwards(slow_server):
    page = await Page(slow_server).open()
    await page.ask(STORY, max_tokens=150)
    await page.until(lambda: len(page.answer()) > 20, "some text")
    stop_reading(page)
    assert await page.ended() == "completed"

    assert page.tab is not None
    page.tab.socket.eio.ws._response.connection.transport.resume_reading()

    await page.until(lambda: not page.loading, "the end")
    saved = [s["output"] for s in await page.saved() if s["type"] == "assistant_message"]
    assert page.answers() == saved


async def test_a_download_that_nobody_takes_is_cut_off(slow_server):
    already = cut(slow_server)
    path = (await asyncio.to_thread(httpx.get, slow_server.url)).text.split('src="/assets/')[1]
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", slow_server.port))
        line = f"GET /assets/{path.split(chr(34))[0]} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        greedy.sendall(line.encode() * 8)  # more than the kernel buffers for one connection

        await eventually(lambda: cut(slow_server) > already, "the cut", LIMIT + 8)
