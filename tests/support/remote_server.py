"""A small HTTP server that answers chat completions as a test likes, well or badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from xnai.settings import Settings

SSE = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "acme"}]}


@dataclass
class Request:
    """What came, and the connection to answer on."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, object]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: str | bytes) -> None:
        for part in parts:
            self.writer.write(part if isinstance(part, bytes) else part.encode())
            await self.writer.drain()

    async def json(self, value: object, status: int = 200, **headers: str) -> None:
        body = json.dumps(value)
        lines = "".join(f"{name.replace('_', '-')}: {v}\r\n" for name, v in headers.items())
        await self.send(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"{lines}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        while await self.reader.read(1024):
            pass


Answer = Callable[[Request], Awaitable[None]]


def data(**value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


def piece(text: str, finish: str | None = None, **more: object) -> str:
    delta = {"content": text} if text else {}
    return data(choices=[{"index": 0, "delta": delta, "finish_reason": finish, **more}])


def usage(prompt: int, completion: int, cached: int = 0) -> str:
    details = {"cached_tokens": cached}
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return data(choices=[], usage={**counts, "prompt_tokens_details": details})


DONE = "data: [DONE]\n\n"
HELLO = SSE + piece("Hel") + piece("lo", "stop") + usage(7, 2, 3) + DONE


def saying(*parts: str | bytes) -> Answer:
    async def answer(request: Request) -> None:
        await request.send(*parts)

    return answer


def hanging_after(*parts: str) -> Answer:
    async def answer(request: Request) -> None:
        await request.send(*parts)
        await request.gone()

    return answer


def refusing(status: int, body: object = None, **headers: str) -> Answer:
    async def answer(request: Request) -> None:
        await request.json(body or {"error": {"message": "SECRET words"}}, status, **headers)

    return answer


@dataclass
class RemoteServer:
    """Answers with ``chat``; ``models`` is what it lists, ``paths`` what it says elsewhere."""

    chat: Answer = field(default_factory=lambda: saying(HELLO))
    models: object = field(default_factory=lambda: MODELS)
    paths: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    @property
    def asked(self) -> list[dict[str, object]]:
        """The bodies of the chat completions that were asked for."""
        return [r.body for r in self.requests if r.path == "/v1/chat/completions"]

    @property
    def name(self) -> str:
        return self.url.removeprefix("http://")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split("\r\n")[0].split(" ")
            lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(method, path, headers, json.loads(body or "{}"), reader, writer)
            self.requests.append(request)
            await self.answer(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, request: Request) -> None:
        if request.path in self.paths:
            await self.paths[request.path](request)
        elif request.path == "/v1/models":
            await request.json(self.models)
        elif request.path == "/v1/chat/completions":
            await self.chat(request)
        else:
            await request.json({"error": "no such path"}, 404)


@asynccontextmanager
async def listening(*servers: RemoteServer) -> AsyncIterator[None]:
    """Have servers listen on free ports of this machine."""
    tasks: set[asyncio.Task[None]] = set()
    opened = []

    def accept(
        server: RemoteServer,
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def connected(reader, writer) -> None:
            task = asyncio.get_running_loop().create_task(server.serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        return connected

    for server in servers:
        listener = await asyncio.start_server(accept(server), "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        opened.append(listener)
    try:
        yield
    finally:
        for listener in opened:
            listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settings(*urls: str, **values: object) -> Settings:
    return Settings(_env_file=None, llm_url=urls, **values)
