"""What the page costs a browser: `PYTHONPATH=. python bench/page.py [--citations 1 50 200]`.

Prints bytes, requests, longest task and time until a question can be typed of a first visit, a
second one, and one by the address of a chat; then what it costs to open chats of the history with
so many citations: requests, and milliseconds of the main thread, as processor time, so that a busy
neighbour counts little. The aims: 1.2 s and 0.7 s, tasks below 100 ms, 300 ms for 200 citations.
Needs Chromium (CHROMIUM names another than /usr/bin's).
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from rig.whole_server import Server
from xnai.accounts import Principal
from xnai.ui.history.data_layer import FILE_NAME
from xnai.ui.history.rows import now
from xnai.ui.history.sqlite.store import HistoryStore

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
NOBODY = {"XNAI_LLM_URL": "http://127.0.0.1:9"}  # no model is needed to open a page
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
LONG_TASKS = """window.longest = 0; new PerformanceObserver((list) => { for (const task of
list.getEntries()) window.longest = Math.max(window.longest, task.duration); })
.observe({ type: 'longtask', buffered: true });"""
USABLE = "() => document.querySelector('#upload-button')?.disabled === false"
GO = """(path) => { history.pushState({}, '', path);
dispatchEvent(new PopStateEvent('popstate', { state: {} })); }"""
A_MESSAGE = 10  # citations of one answer
SETTLED_SECONDS = 1.5


class Wire:
    """The bytes and requests of a page from now on."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes = self.requests = 0
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.loadingFinished", self._came)

    def _asked(self, _: object) -> None:
        self.requests += 1

    def _came(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])


def main_thread_ms(session: CDPSession) -> float:
    """Milliseconds that the main thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def open_page(context: BrowserContext) -> tuple[Page, CDPSession]:
    page = context.new_page()
    page.add_init_script(LONG_TASKS)
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return page, session


def visit(context: BrowserContext, address: str) -> dict[str, float]:
    """One visit, up to a composer that takes a question."""
    page, session = open_page(context)
    wire = Wire(session)
    began = time.monotonic()
    page.goto(address)
    page.wait_for_function(USABLE)
    usable = time.monotonic() - began
    page.wait_for_timeout(1000 * SETTLED_SECONDS)
    figures = {
        "usable, s": usable,
        "main thread, ms": main_thread_ms(session),
        "longest task, ms": float(page.evaluate("window.longest")),
        "requests": float(wire.requests),
        "kB": wire.bytes / 1000,
    }
    page.close()
    return figures


def open_chat(context: BrowserContext, server: Server, thread: str, count: int) -> dict[str, float]:
    """Open a chat of the history in a page that is open, up to its last citation."""
    page, session = open_page(context)
    page.goto(server.url)
    page.wait_for_function(USABLE)
    page.wait_for_timeout(1000 * SETTLED_SECONDS)
    wire, before = Wire(session), main_thread_ms(session)
    page.evaluate("window.longest = 0")
    page.evaluate(GO, f"/thread/{thread}")
    page.wait_for_function(
        "(count) => document.querySelectorAll('.message-content a').length >= count", arg=count
    )
    page.wait_for_timeout(1000 * SETTLED_SECONDS)
    figures = {
        "main thread, ms": main_thread_ms(session) - before,
        "longest task, ms": float(page.evaluate("window.longest")),
        "requests": float(wire.requests),
        "kB": wire.bytes / 1000,
    }
    page.close()
    return figures


def keep_chat(server: Server, document: str, count: int) -> str:
    """Write a chat into the history; returns its id."""
    data = server.folder / "data"
    with sqlite3.connect(data / FILE_NAME) as file:
        (who,) = file.execute("SELECT identifier FROM users").fetchone()
    file.close()
    store, thread = HistoryStore(data / FILE_NAME), str(uuid.uuid4())
    person = Principal(str(who), "local")
    store.threads.put(person, thread, f"{count} citations", {}, None)
    for first in range(0, count, A_MESSAGE):
        links = (
            f'It is so, as it is said there. [[{n}]](/reader/{document}?page=0&start=0&end=9 "a")'
            for n in range(1, min(A_MESSAGE, count - first) + 1)
        )
        for kind, text in (("user_message", "Is it so?"), ("assistant_message", " ".join(links))):
            step = {"id": str(uuid.uuid4()), "threadId": thread, "type": kind, "name": "XNAi"}
            store.steps.create(person, {**step, "createdAt": now(), "output": text})
    store.close()
    return thread


def show(name: str, rounds: Sequence[dict[str, float]]) -> None:
    medians = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    print(f"{name:28}" + "".join(f"{key}: {value:9.1f}   " for key, value in medians.items()))


def measure(browser: Browser, server: Server, rounds: int, counts: Sequence[int]) -> None:
    context = browser.new_context()
    for name in ("first visit", "second visit"):
        if name == "second visit":
            show(name, [visit(context, server.url) for _ in range(rounds)])
            continue
        results = []
        for _ in range(rounds):
            fresh = browser.new_context()
            results.append(visit(fresh, server.url))
            fresh.close()
        show(name, results)
        visit(context, server.url)
    document = server.upload("notes.txt", b"The tower is 330 m tall.")
    for count in counts:
        thread = keep_chat(server, document, count)
        opened = [open_chat(context, server, thread, count) for _ in range(rounds)]
        show(f"a chat with {count} citations", opened)
    linked = []
    for _ in range(rounds):
        fresh = browser.new_context()
        linked.append(visit(fresh, f"{server.url}/thread/{thread}"))
        fresh.close()
    show("first visit, by its address", linked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citations", type=int, nargs="+", default=[1, 50, 200])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), NOBODY)
        server.start()
        try:
            server.wait(status="ready")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            measure(browser, server, chosen.rounds, chosen.citations)
            browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
