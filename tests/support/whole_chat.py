"""A chat on the page of the whole server, by its socket."""

import asyncio
import uuid

import httpx
from ui_client import Tab

from rig.page import upload

SHOWN = ("new_message", "update_message")


class Chat:
    """One chat on the page, by its socket."""

    def __init__(self, tab: Tab, http: httpx.AsyncClient) -> None:
        self.tab, self.http = tab, http

    @classmethod
    async def open(cls, server) -> "Chat":
        http = httpx.AsyncClient(base_url=server.url, timeout=60)
        (await http.post("/auth/header")).raise_for_status()
        chat = cls(await Tab(server, http).open(), http)
        await chat.ended("on_chat_start", 0)
        return chat

    async def ended(self, run: str, start: int) -> None:
        """Wait for the end of a handler whose events begin at ``start``."""

        def has_ended() -> bool:
            begun = False
            for name, data in self.tab.events[start:]:
                begun |= name == "new_message" and data["name"] == run
                if begun and name == "task_end":
                    return True
            return False

        async with asyncio.timeout(120), self.tab.changed:
            await self.tab.changed.wait_for(has_ended)

    async def send(self, text: str, *files: tuple[str, bytes]) -> int:
        """Ask without waiting; returns where the events of the question begin."""
        ids = []
        for name, content in files:
            answer = await upload(
                self.http, self.tab.session_id, name, content, "application/octet-stream"
            )
            ids.append({"id": answer.raise_for_status().json()["id"]})
        start = len(self.tab.events)
        message = {"id": str(uuid.uuid4()), "name": "me", "type": "user_message", "output": text}
        await self.tab.socket.emit("client_message", {"message": message, "fileReferences": ids})
        return start

    async def told(self, start: int, words: str) -> None:
        """Wait until the page was told something with these words."""

        def was_told() -> bool:
            return any(words in f"{name} {data}" for name, data in self.tab.events[start:])

        async with asyncio.timeout(60), self.tab.changed:
            await self.tab.changed.wait_for(was_told)

    async def stop(self, start: int) -> None:
        await self.tab.socket.emit("stop")
        await self.ended("on_message", start)

    async def ask(self, text: str, *files: tuple[str, bytes]) -> str:
        """Everything the page was told until the question had its answer."""
        start = await self.send(text, *files)
        await self.ended("on_message", start)
        told = [data for name, data in self.tab.events[start:] if name in SHOWN]
        return "\n".join(f"{step['name']}: {step['output']}" for step in told)
