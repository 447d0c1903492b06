"""Pages that ask the whole server, get into a phase of an answer, and meet with an event there."""

import asyncio
import json
import os
import re
import shutil
import socket
import struct
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from ui_client import Tab, opened, upload

GRACE = 2.5  # seconds; longer than the blip of two seconds that must not matter
STORY = "Tell a long story about the sea, in many chapters."
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
        if "xnai.llm.worker" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the model's worker does not run")


async def eventually(check: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """What a check gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)
    return found


def answers_of(steps: list[dict[str, Any]]) -> list[str]:
    answers = [s for s in steps if s["type"] == "assistant_message" and not s.get("isError")]
    return [step["output"] for step in answers]


def figure(server: Any, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", timeout=10).text
    found = re.search(rf"^{re.escape(name)} ([0-9.e+-]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


class Page:
    """One page on the socket: what it was told is kept as the page would show it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.http = httpx.AsyncClient(base_url=server.url, timeout=60)
        opened.append(self.http)
        self.session = str(uuid.uuid4())
        self.question = ""
        self.shown: dict[str, dict[str, Any]] = {}
        self.actions: dict[str, dict[str, Any]] = {}
        self.elements: dict[str, dict[str, Any]] = {}
        self.loading = False
        self.tab: Tab | None = None
        self.thread = ""

    async def open(self, thread: str = "") -> "Page":
        if not self.http.cookies:
            (await self.http.post("/auth/header")).raise_for_status()
        self.tab = Tab(self.server, self.http)
        self.tab.session_id = self.session
        handlers: dict[str, Callable[[Any], None]] = {
            "new_message": self._whole,
            "update_message": self._whole,
            "stream_start": self._whole,
            "stream_token": self._token,
            "delete_message": lambda data: self.shown.pop(data["id"], None),
            "action": lambda data: self.actions.update({data["id"]: data}),
            "element": lambda data: self.elements.update({data["id"]: data}),
            "remove_action": lambda data: self.actions.pop(data["id"], None),
            "task_start": lambda _: self._set_loading("task_start"),
            "task_end": lambda _: self._set_loading("task_end"),
            "first_interaction": lambda data: setattr(self, "thread", data["thread_id"]),
            "resume_thread": lambda data: [self._whole(step) for step in data["steps"]],
        }
        for event, handler in handlers.items():
            self.tab.socket.on(event, self._hear(handler))
        await self.tab.open(threadId=thread)
        if not thread and not self.thread:
            await self.until(lambda: self.tab.saw("chat_settings"), "the greeting")
        return self

    @staticmethod
    def _hear(handler: Callable[[Any], None]) -> Any:
        async def hear(data: Any = None) -> None:
            handler(data)

        return hear

    def _set_loading(self, event: str) -> None:
        self.loading = event == "task_start"

    def _whole(self, step: dict[str, Any]) -> None:
        self.shown[step["id"]] = {**self.shown.get(step["id"], {}), **step}

    def _token(self, data: dict[str, Any]) -> None:
        if data["id"] in self.shown:
            self.shown[data["id"]]["output"] += data["token"]

    async def until(self, check: Callable[[], Any], what: str, seconds: float = 40) -> Any:
        return await eventually(check, f"{what}; the page shows {self.texts()}", seconds)

    async def ask(self, text: str, *files: bytes, max_tokens: int = 1500) -> None:
        assert self.tab is not None
        await self.tab.socket.emit("chat_settings_change", {"max_tokens": max_tokens})
        ids = []
        for content in files:
            answer = await upload(self.http, self.session, "keepers.txt", content, "text/plain")
            ids.append({"id": answer.raise_for_status().json()["id"]})
        self.question = str(uuid.uuid4())
        message = {"id": self.question, "name": "me", "type": "user_message", "output": text}
        payload = {"message": message, "fileReferences": ids}
        self._whole({**message, "createdAt": ""})
        await self.tab.socket.emit("client_message", payload)

    async def emit(self, event: str, *data: Any) -> None:
        assert self.tab is not None
        await self.tab.socket.emit(event, *data)

    def texts(self) -> list[str]:
        """Names and texts of everything on the page but the person's own."""
        steps = [step for step in self.shown.values() if step["type"] != "user_message"]
        return [f"{step['name']}: {step.get('output', '')[-60:]}" for step in steps]

    def answers(self) -> list[str]:
        """The answers on the page, error messages excepted."""
        return answers_of(list(self.shown.values()))

    def answer(self) -> str:
        """The newest answer on the page."""
        return (self.answers() or [""])[-1]

    def has(self, words: str) -> bool:
        return any(words in text for text in self.texts())

    def offered(self, name: str) -> list[dict[str, Any]]:
        return [action for action in self.actions.values() if action["name"] == name]

    async def press(self, name: str) -> None:
        (action,) = self.offered(name)
        body = {"sessionId": self.session, "action": action}
        (await self.http.post("/project/action", json=body)).raise_for_status()

    def ends(self) -> list[str]:
        """The states in which streams of the last question ended, from the log."""
        lines = self.server.log.splitlines()
        ended = [line for line in lines if '"stream ended"' in line and self.question in line]
        return [json.loads(line)["state"] for line in ended]

    async def ended(self, count: int = 1) -> str:
        await self.until(lambda: len(self.ends()) >= count, f"{count} ends in the log")
        return self.ends()[-1]

    async def close(self) -> None:
        """Close the page."""
        assert self.tab is not None
        await self.tab.vanish()

    async def abort(self) -> None:
        """Lose the connection without a word: the other side gets a reset."""
        assert self.tab is not None
        connection = self.tab.socket.eio.ws._response.connection
        if connection is None:  # it is lost already
            return
        transport = connection.transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def saved(self) -> list[dict[str, Any]]:
        """The steps of the thread in the history."""
        answer = await self.http.get(f"/project/thread/{self.thread}")
        return answer.raise_for_status().json()["steps"]


async def holding_the_model(server: Any) -> tuple[httpx.AsyncClient, Any]:
    """An answer of the API that keeps the only slot busy until it is closed."""
    client = httpx.AsyncClient(base_url=server.url, timeout=60)
    opened.append(client)
    request = client.build_request("POST", "/v1/chat/completions", json=SLOW)
    response = await client.send(request, stream=True)
    return client, response
