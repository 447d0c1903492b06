"""Agents: what `xnai mcp` is told by servers that are none of ours, or end; what is cut off."""

import asyncio
import json

import anyio
import httpx
from api_server import client, program, serving
from cases import refused
from documents_library import GatedEmbedder
from documents_library import opened as library_opened
from mcp.server.lowlevel import Server
from mcp.types import JSONRPCMessage
from remote_server import SSE, RemoteServer, data, listening, refusing, saying

from rig.waiting import eventually
from xnai.api import embeddings, sync
from xnai.api.mcp.sessions import PersonSessions
from xnai.api.mcp.texts import DocumentTexts
from xnai.api.mcp.tools import Toolbox
from xnai.api.mcp.visit import Visit, untold
from xnai.api.sync import FILE_HEADER
from xnai.cli.mcp import Bridge
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.libraries import Libraries
from xnai.documents.text_work import TextWork

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/initialized"}
KNOWN = {"protocolVersion": "2025-06-18"}
WELCOME = SSE.replace("\r\n\r\n", "\r\nMcp-Session-Id: one\r\n\r\n")
PACKED = SSE.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n")
ACCEPTED = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
NONE_OF_OURS = "is not an XNAi server. Set XNAI_HOST and XNAI_PORT to where it is."
SAYS_WHY = {"error": {"code": "unauthorized", "message": "No key.", "hint": "Send one."}}
# What a server says to the first message of an agent, and what the agent is told of that.
ANSWERS = (
    (refusing(404), NONE_OF_OURS),
    (refusing(404, {"error": {"code": 404, "message": "SECRET"}}), NONE_OF_OURS),  # llama.cpp
    (refusing(401, SAYS_WHY), "unauthorized: No key. Send one."),
    (refusing(500, {"error": 7}), NONE_OF_OURS),
    (refusing(500, ["x"]), NONE_OF_OURS),
    (refusing(307), NONE_OF_OURS),
    (refusing(200, {"jsonrpc": "2.0", "id": 1, "result": {}}), NONE_OF_OURS),
    (saying(ACCEPTED), NONE_OF_OURS),
    (saying(SSE), NONE_OF_OURS),
    (saying(SSE, "data: SECRET\n\n"), NONE_OF_OURS),
    (saying(SSE, "data: " + "[" * 90_000 + "\n\n"), NONE_OF_OURS),
    (saying(SSE, 'data: ["result"]\n\n'), NONE_OF_OURS),
    (saying(SSE, "data: 7\n\n"), NONE_OF_OURS),
    (saying(SSE, data(jsonrpc="2.0", id=1, result="SECRET")), NONE_OF_OURS),
    (saying(SSE, data(jsonrpc="1.0", id=1, result={})), NONE_OF_OURS),
    (saying(SSE, data(jsonrpc="2.0", id=9, result={})), NONE_OF_OURS),
    (saying(PACKED, "SECRET"), NONE_OF_OURS),
    (saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), NONE_OF_OURS),
)


async def told(url, *messages):
    """What an agent hears that sends messages, one after the other."""
    writing, reading = anyio.create_memory_object_stream(99)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http, writing, reading:
        bridge = Bridge(http, url, writing)
        for message in messages:
            await bridge.hand_on(JSONRPCMessage.model_validate(message))
        await bridge.close()
        heard = []
        while reading.statistics().current_buffer_used:
            heard.append(reading.receive_nowait().message.model_dump(exclude_none=True))
    return heard


async def bridges():
    for answer, said in ANSWERS:
        server = RemoteServer(paths={"/mcp": answer})
        async with listening(server):
            heard = await told(server.url, HELLO)
        errors = [one for one in heard if "error" in one]
        assert [one["id"] for one in errors] == [1], f"{said}: {heard}"
        assert errors[0]["error"]["message"].endswith(said), errors
        assert "SECRET" not in str(errors)
    (gone,) = await told("http://127.0.0.1:1", HELLO)
    assert gone["error"]["message"].startswith("No server answers at http://127.0.0.1:1.")
    await forgetful()


async def forgetful():
    """A server that knows none of its sessions any more, however often it begins one."""
    server = RemoteServer()

    async def answer(request):
        if request.body.get("method") == "initialize":
            result = {"jsonrpc": "2.0", "id": 1, "result": KNOWN}
            await request.send(WELCOME, data(**result))
        else:
            await request.json({}, 404)

    server.paths["/mcp"] = answer
    async with listening(server):
        first, second = await told(server.url, HELLO, NOTE, CALL)
    assert first["result"] == KNOWN
    assert second["id"] == CALL["id"]
    assert second["error"]["message"].endswith(NONE_OF_OURS)


async def endings(folder):
    """A server that is told to stop, between two calls of an agent and during one."""
    runtime = program(folder)
    runtime.pipeline.script = [60.0]
    toolbox = Toolbox(runtime, DocumentTexts(runtime, TextWork()))
    visit = Visit(runtime.people.local, "r")
    claim = toolbox.call("verify", {"claim": "It is 330 metres tall."}, visit, untold)
    checking = asyncio.create_task(claim)
    sessions = PersonSessions(Server("agents"), runtime.streams)
    await runtime.pipeline.started.wait()
    await runtime.streams.close()
    await refused("shutting_down", checking)
    await eventually(lambda: not sessions.runs)
    await refused("shutting_down", sessions.serve({"method": "POST"}, None, None))


async def shares(folder, patch):
    """One person asks for more at once than is theirs, and is told; what is under way goes on."""
    patch.setattr(embeddings, "MOST_REQUESTS", 2)
    patch.setattr(sync, "_UPLOADS", 2)
    runtime = program(folder)
    runtime.embedder.go.clear()
    more = asyncio.Event()

    async def slowly():
        yield b"The lamp "
        await more.wait()
        yield b"comes."

    entry = {"path": "a.txt", "sha256": "0" * 64, "size": 15, "mtime_ns": 1, "inode": 1}
    async with library_opened(folder / "library", GatedEmbedder(folder)) as (books, index):
        runtime.synced = SyncedLibraries(index.synced, Libraries(index.libraries, books), books)
        made = await runtime.synced.find_or_make(runtime.people.local, "Letters")
        header = {FILE_HEADER: json.dumps({**entry, "library_id": made.id, "source": "x"})}
        async with serving(runtime) as url, client(url) as http:

            def embed():
                return http.post("/v1/embeddings", json={"input": "x"})

            def send():
                return http.post("/v1/sync/files", headers=header, content=slowly())

            for doing in (embed, send):
                both = [asyncio.create_task(doing()) for _ in range(2)]
                done, held = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                codes = [one.result().json()["error"]["code"] for one in done]
                assert codes == ["too_many_requests"]
                runtime.embedder.go.set()
                more.set()
                (answer,) = [await one for one in held]
                assert answer.is_success, answer.text
    patch.undo()


async def all_cases(folder, patch):
    await bridges()
    for case, given in ((endings, ()), (shares, (patch,))):
        (folder / case.__name__ / "library").mkdir(parents=True)
        await case(folder / case.__name__, *given)
