"""Pages that ask the whole server, get into a phase of an answer, and meet with an event there."""

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil
from ui_client import Tab, opened

from rig import page
from rig.page import STORY

GRACE = 2.5  # seconds; longer than the blip of two seconds that must not matter
FILE = b"The keepers bake bread on Tuesdays. The generator runs for three days.\n" * 9000
SLOW = {
    "messages": [{"role": "user", "content": STORY}],
    "max_tokens": 3000,
    "retrieval": False,
    "stream": True,
}
ENVIRONMENT = {
    "XNAI_SLOTS": "1",
    "XNAI_DISCONNECT_GRACE": str(GRACE),
    "XNAI_LOG_FORMAT": "json",
    "XNAI_DRAIN_SECONDS": "1",
    "XNAI_TEMPERATURE": "0",  # with it the bundled model never comes to the end of its story
}
MARKS = {
    "stopped": "*Stopped.*",
    "disconnected": "away for too long",
    "failed": "broke off here",
    "shut_down": "The server was stopped",
}


def long_question() -> str:
    """A prompt that takes a while to be read: each is new, or the prefix cache would have it."""
    words = " ".join(f"word{number}" for number in range(900))
    return f"{uuid.uuid4()} Repeat this: {words}"


def logbook(days: int) -> bytes:
    """A file of as many parts as days; every sentence of a part has a word of its own."""

    def day(number: int) -> str:
        grey = f"The sea was grey and Finch{number} wrote of the wind in harbour{number}. "
        return f"On day {number} the keeper Ada{number} saw the ship Walrus{number}. {grey * 9}"

    return "\n\n".join(map(day, range(days))).encode()


def prepared(server: Any, folder: Path, **environment: str) -> Any:
    """Another server, with what the first one has prepared."""
    for name in ("models", "embedding"):
        source = server.folder / "data" / name
        shutil.copytree(source, folder / "data" / name, copy_function=os.link)
    return type(server)(folder, {**ENVIRONMENT, **environment})


def worker_of(server: Any) -> psutil.Process:
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "xnai.llm.worker.main" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the model's worker does not run")


class Page(page.Page):
    """A page with what tests press and look up on it; a test may leave it open."""

    tab_class = Tab

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        opened.append(self.http)

    def has(self, words: str) -> bool:
        return any(words in text for text in self.texts())

    def offered(self, name: str) -> list[dict[str, Any]]:
        return [action for action in self.actions.values() if action["name"] == name]

    async def press(self, name: str) -> None:
        (action,) = self.offered(name)
        body = {"sessionId": self.session, "action": action}
        (await self.http.post("/project/action", json=body)).raise_for_status()

    async def saved(self) -> list[dict[str, Any]]:
        """The steps of the thread in the history."""
        answer = await self.http.get(f"/project/thread/{self.thread}")
        return answer.raise_for_status().json()["steps"]


async def first_text(lines) -> str:
    """The first text in an answer of the API that streams."""
    async for line in lines:
        if line.startswith("data: {"):
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0]["delta"].get("content"):
                return choices[0]["delta"]["content"]
    raise AssertionError("the stream ended without text")


async def holding_the_model(server: Any) -> tuple[httpx.AsyncClient, Any]:
    """An answer of the API that keeps the only slot busy until it is closed."""
    client = httpx.AsyncClient(base_url=server.url, timeout=60)
    opened.append(client)
    request = client.build_request("POST", "/v1/chat/completions", json=SLOW)
    response = await client.send(request, stream=True)
    return client, response
