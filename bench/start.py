"""A first and a second `make run` in a fresh clone, with an empty home and empty caches.

    make bench [ARGS="--no-engine --json"]

Clones HEAD of this repository into a temporary folder and times, from typing `make run`: the steps
of the set-up, the page, the search, the first cited passages (asked on the page's own socket with
a file attached) and the first generated token; then a second start. ``--no-engine`` ends the first
start before the engine is compiled and leaves out what needs it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import socketio

ROOT = Path(__file__).resolve().parents[1]
FACT = "The lamp of Norwick Lighthouse was replaced in October 1987 by a metal halide lamp."
QUESTION = "When was the lamp of Norwick Lighthouse replaced?"
STEP = re.compile(r"^ +([0-9.]+) s  (.*)")
POLL_SECONDS = 0.05
LIMIT_SECONDS = 3600.0
STOP_SECONDS = 30


class Start:
    """One `make run`: the server, and the seconds since it was typed."""

    def __init__(self, process: Process, port: int) -> None:
        self.begun = time.perf_counter()
        self.process = process
        self.times: dict[str, float] = {}
        self.lines: list[str] = []
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def note(self, what: str) -> None:
        """Something has happened just now."""
        self.times[what] = round(time.perf_counter() - self.begun, 2)
        print(f"{self.times[what]:8.2f} s  {what}", file=sys.stderr, flush=True)

    async def read(self) -> None:
        """Keep what it prints; the set-up tells its own times."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            if step := STEP.match(self.lines[-1]):
                self.note(f"set-up: {step[2]}")

    async def until(self, path: str, **wanted: object) -> None:
        """Wait until a GET answers 200, with these values in its JSON."""
        while True:
            if self.process.returncode is not None:
                raise SystemExit("\n".join([*self.lines[-30:], "the server has ended"]))
            with contextlib.suppress(httpx.TransportError):
                answer = await self.client.get(path)
                if answer.status_code == httpx.codes.OK and (
                    not wanted or wanted.items() <= answer.json().items()
                ):
                    return
            await asyncio.sleep(POLL_SECONDS)

    async def first_passages(self) -> None:
        """Attach a document on the page, ask about it, and wait for words of it."""
        (await self.client.post("/auth/header")).raise_for_status()
        session, shown = str(uuid.uuid4()), asyncio.Event()
        page = socketio.AsyncClient(reconnection=False)

        async def look(_event: str, data: object = None) -> None:
            step = data if isinstance(data, dict) else {}
            if step.get("type") == "assistant_message" and "metal halide" in str(step):
                shown.set()

        page.on("*", look)
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.client.cookies.jar)
        who = {"sessionId": session, "clientType": "webapp", "threadId": ""}
        await page.connect(
            str(self.client.base_url),
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            headers={"Cookie": cookies},
            auth={**who, "userEnv": "{}", "chatProfile": ""},
        )
        await page.emit("connection_successful")
        file = ("lighthouse.txt", (FACT + "\n") * 3, "text/plain")
        uploaded = await self.client.post(
            f"/project/file?session_id={session}", files={"file": file}
        )
        message = {"id": str(uuid.uuid4()), "name": "me", "type": "user_message"}
        files = [{"id": uploaded.raise_for_status().json()["id"]}]
        question = {"message": {**message, "output": QUESTION}, "fileReferences": files}
        await page.emit("client_message", question)
        await shown.wait()
        await page.disconnect()

    async def first_token(self) -> None:
        """Ask for an answer through the API and wait for its first token."""
        asked = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
        body = {**asked, "stream": True, "max_tokens": 8}
        async with self.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line.removeprefix("data: "))["choices"]
                    if choices and choices[0]["delta"].get("content"):
                        return


@contextlib.asynccontextmanager
async def make_run(clone: Path, home: Path) -> AsyncGenerator[Start, None]:
    """`make run` as its user types it, stopped with Ctrl-C in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    left_out = ("XNAI_", "XDG_", "PYTHON", "VIRTUAL_ENV", "CHAINLIT_", "MAKE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    process = await asyncio.create_subprocess_exec(
        *("make", "run"),
        cwd=clone,
        env={**kept, "HOME": str(home), "XNAI_PORT": str(port)},
        stdout=PIPE,
        stderr=STDOUT,
        limit=2**20,
        start_new_session=True,
    )
    start = Start(process, port)
    reading = asyncio.create_task(start.read())
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            yield start
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
        await reading
        await start.client.aclose()


async def measure(folder: Path, *, engine: bool) -> dict[str, dict[str, float]]:
    """Both starts; returns what happened at which second of each."""
    clone, home = folder / "xnai", folder / "home"
    home.mkdir()
    git = await asyncio.create_subprocess_exec("git", "clone", "--quiet", str(ROOT), str(clone))
    if await git.wait():
        raise SystemExit("git clone failed")
    results = {}
    for name in ("first start", "second start"):
        print(name, file=sys.stderr)
        async with make_run(clone, home) as start:
            await start.until("/")
            start.note("page")
            await start.until("/health/ready")
            start.note("documents can be searched")
            await start.first_passages()
            start.note("first cited passages")
            if engine:
                await start.until("/health/ready", generation=True)
                start.note("model ready")
                await start.first_token()
                start.note("first generated token")
        results[name] = start.times
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--no-engine", action="store_true", help="do not wait for the engine")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xnai-start-", ignore_cleanup_errors=True) as folder:
        results = asyncio.run(measure(Path(folder), engine=not chosen.no_engine))
    if chosen.json:
        print(json.dumps(results, indent=2))
        return
    for name, times in results.items():
        print(f"\n| {name} | seconds |\n|---|---:|")
        for what, seconds in times.items():
            print(f"| {what} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
