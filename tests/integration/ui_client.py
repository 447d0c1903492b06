"""A small Chainlit server with the pieces of xnai.ui, and a client that does what the page does."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import socketio

APP = Path(__file__).parent / "ui_server" / "app.py"
ROOT = Path(__file__).parents[2]
FIRST_KEY, SECOND_KEY = KEYS = ("first-key-of-the-tests", "second-key-of-the-tests")


opened: list[Any] = []  # what a test leaves open


async def tidy_up() -> None:
    """Close what a test has left open."""
    while opened:
        thing = opened.pop()
        await (thing.close() if isinstance(thing, Tab) else thing.aclose())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`chainlit run` on the small app, in a folder of its own."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = options
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XNAI_", "CHAINLIT_"))}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "XNAI_DATA_DIR": str(self.data),
            "XNAI_PORT": str(self.port),
            **environment,
        }

    async def __aenter__(self) -> Self:
        self.log = (self.folder / "log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chainlit", "run", str(APP), "--headless", *self.options),
            cwd=self.folder,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
        )
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                assert self.process.returncode is None, (self.folder / "log").read_text()
                with contextlib.suppress(httpx.TransportError):
                    await client.get(f"{self.url}/health")
                    return self
                await asyncio.sleep(0.1)

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop(signal.SIGTERM)

    async def stop(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
            try:
                await asyncio.wait_for(self.process.wait(), 15)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self.log.close()

    def events(self) -> list[dict[str, object]]:
        path = self.data / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stranger(self, **options: Any) -> httpx.AsyncClient:
        """Somebody who is not signed in."""
        client = httpx.AsyncClient(base_url=self.url, **options)
        opened.append(client)
        return client

    async def client(self, key: str = "") -> httpx.AsyncClient:
        client = self.stranger()
        if key:
            answer = await client.post("/login", data={"username": "me", "password": key})
        else:
            answer = await client.post("/auth/header")
        answer.raise_for_status()
        return client


class Tab:
    """What the page does over its socket."""

    def __init__(self, server: Server, client: httpx.AsyncClient) -> None:
        self.server, self.client = server, client
        self.session_id = str(uuid.uuid4())
        self.thread_id = ""
        self.events: list[tuple[str, object]] = []
        self.changed = asyncio.Condition()
        self.socket = socketio.AsyncClient(reconnection=False)
        opened.append(self)
        self.socket.on("*", self._note)
        self.socket.on("connect_error", self._refused)

    async def _note(self, event: str, data: object = None) -> None:
        if event == "first_interaction":
            self.thread_id = data["thread_id"]
        async with self.changed:
            self.events.append((event, data))
            self.changed.notify_all()

    async def _refused(self, data: object) -> None:
        await self._note("refused", data)

    async def open(self, **auth: object) -> "Tab":
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.client.cookies.jar)
        headers = {"Cookie": cookies, **auth.pop("headers", {})}
        await self.socket.connect(
            self.server.url,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            headers=headers,
            wait_timeout=10,
            auth={
                "sessionId": self.session_id,
                "clientType": "webapp",
                "threadId": "",
                "userEnv": "{}",
                "chatProfile": "",
                **auth,
            },
        )
        await self.socket.emit("connection_successful")
        return self

    async def wait(self, event: str, count: int = 1) -> object:
        def found() -> list[object]:
            return [data for name, data in self.events if name == event]

        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    def saw(self, event: str) -> bool:
        return any(name == event for name, _ in self.events)

    async def ask(self, text: str, *files: str, **changes: object) -> None:
        start = len(self.events)
        message = {"id": str(uuid.uuid4()), "name": "me", "type": "user_message", "output": text}
        await self.socket.emit(
            "client_message",
            {"message": {**message, **changes}, "fileReferences": [{"id": f} for f in files]},
        )

        def ended() -> bool:
            answered = False
            if not self.thread_id:
                return False
            for name, data in self.events[start:]:
                answered |= name == "update_message" and data["output"].startswith("You said: ")
                if answered and name == "task_end":
                    return True
            return False

        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(ended)

    async def close(self) -> None:
        """Leave the chat for good, as the page does for a new one."""
        if self.socket.connected:
            await self.socket.emit("clear_session")
            await asyncio.sleep(0.1)
        await self.vanish()

    async def vanish(self) -> None:
        """Lose the connection."""
        await self.socket.shutdown()
        if self.socket.eio.http:
            await self.socket.eio.http.close()


async def refusal(server: Server, client: httpx.AsyncClient, **auth: Any) -> Any:
    tab = Tab(server, client)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await tab.open(**auth)
    return await tab.wait("refused")


async def threads(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.post("/project/threads", json={"pagination": {"first": 50}, "filter": {}})
    return answer.raise_for_status().json()["data"]


def words(thread: Any) -> list[str]:
    return [step["output"] for step in thread["steps"] if "message" in step["type"]]


async def upload(client: httpx.AsyncClient, session_id: str, *file: Any) -> httpx.Response:
    return await client.post(f"/project/file?session_id={session_id}", files={"file": file})
