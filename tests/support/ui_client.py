"""A small Chainlit server with the pieces of xnai.ui, and a client that does what the page does."""

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import socketio
from paths import ROOT

from rig import page
from rig.processes import LocalServer

APP = Path(__file__).parent / "ui_server" / "app.py"
FIRST_KEY, SECOND_KEY = KEYS = ("first-key-of-the-tests", "second-key-of-the-tests")


opened: list[Any] = []  # what a test leaves open


async def tidy_up() -> None:
    """Close what a test has left open."""
    while opened:
        thing = opened.pop()
        await (thing.close() if isinstance(thing, Tab) else thing.aclose())


class Server(LocalServer):
    """`chainlit run` on the small app, in a folder of its own."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        super().__init__(folder, environment)
        self.data = folder / "data"
        self.options = options

    async def __aenter__(self) -> Self:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XNAI_", "CHAINLIT_"))}
        environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "XNAI_DATA_DIR": str(self.data),
            "XNAI_PORT": str(self.port),
            **self.environment,
        }
        command = ("-m", "chainlit", "run", str(APP), "--headless", *self.options)
        self.launch([sys.executable, *command], environment)
        await asyncio.to_thread(self.until_it_answers, "/health")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(self.stop)

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


class Tab(page.Tab):
    """What the page does over its socket; a test may leave it open."""

    def __init__(self, server: Any, client: httpx.AsyncClient) -> None:
        super().__init__(server, client)
        opened.append(self)

    async def wait(self, event: str, count: int = 1) -> object:
        def found() -> list[object]:
            return [data for name, data in self.events if name == event]

        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

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
