"""A page on the socket of a whole server, and what it was told."""

import asyncio
import json
import re
import socket
import struct
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import socketio

from rig.waiting import eventually

STORY = "Tell a long story about the sea, in many chapters."


class Tab:
    """What the page does over its socket."""

    def __init__(self, server: Any, client: httpx.AsyncClient) -> None:
        self.server, self.client = server, client
        self.session_id = str(uuid.uuid4())
        self.thread_id = ""
        self.events: list[tuple[str, Any]] = []
        self.changed = asyncio.Condition()
        self.socket = socketio.AsyncClient(reconnection=False)
        self.socket.on("*", self._note)
        self.socket.on("connect_error", self._refused)

    async def _note(self, event: str, data: Any = None) -> None:
        if event == "first_interaction":
            self.thread_id = data["thread_id"]
        async with self.changed:
            self.events.append((event, data))
            self.changed.notify_all()

    async def _refused(self, data: object) -> None:
        await self._note("refused", data)

    async def open(self, **auth: Any) -> "Tab":
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

    def saw(self, event: str) -> bool:
        return any(name == event for name, _ in self.events)

    async def vanish(self) -> None:
        """Lose the connection."""
        await self.socket.shutdown()
        if self.socket.eio.http:
            await self.socket.eio.http.close()


async def upload(client: httpx.AsyncClient, session_id: str, *file: Any) -> httpx.Response:
    """Send a file as the page does: its name, its bytes, its media type."""
    return await client.post(f"/project/file?session_id={session_id}", files={"file": file})


def answers_of(steps: list[dict[str, Any]]) -> list[str]:
    """Return the texts of the answers among steps, error messages excepted."""
    answers = [s for s in steps if s["type"] == "assistant_message" and not s.get("isError")]
    return [step["output"] for step in answers]


def figure(server: Any, name: str) -> float:
    """Return what a metric of a server stands at; a series that is not there at 0."""
    text = httpx.get(f"{server.url}/metrics", timeout=10).text
    found = re.search(rf"^{re.escape(name)} ([0-9.e+-]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


class Page:
    """One page on the socket: what it was told is kept as the page would show it."""

    tab_class = Tab

    def __init__(self, server: Any) -> None:
        self.server = server
        self.http = httpx.AsyncClient(base_url=server.url, timeout=60)
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
        tab = self.tab = self.tab_class(self.server, self.http)
        tab.session_id = self.session
        handlers: dict[str, Callable[[Any], object]] = {
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
            "resume_thread": self._resumed,
        }
        for event, handler in handlers.items():
            tab.socket.on(event, self._hear(handler))
        await tab.open(threadId=thread)
        if not thread and not self.thread:
            await self.until(lambda: tab.saw("chat_settings"), "the greeting")
        return self

    @staticmethod
    def _hear(handler: Callable[[Any], object]) -> Any:
        async def hear(data: Any = None) -> None:
            handler(data)

        return hear

    def _set_loading(self, event: str) -> None:
        self.loading = event == "task_start"

    def _whole(self, step: dict[str, Any]) -> None:
        self.shown[step["id"]] = {**self.shown.get(step["id"], {}), **step}

    def _resumed(self, thread: dict[str, Any]) -> None:
        for step in thread["steps"]:
            self._whole(step)

    def _token(self, data: dict[str, Any]) -> None:
        if data["id"] in self.shown:
            self.shown[data["id"]]["output"] += data["token"]

    async def until(self, check: Callable[[], Any], what: str, seconds: float = 120) -> Any:
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
