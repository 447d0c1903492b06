"""The Model Context Protocol at ``/mcp``, with the SDK's own client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from api_server import CITATION, DONE, Program, program, serving
from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamable_http_client

from rig.waiting import PATIENCE, eventually
from xnai.answering.events import Reading, Retrieved, Token, Waiting
from xnai.api.mcp import sessions
from xnai.errors import MODEL_CRASHED, XnaiError
from xnai.types import Document

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"
TEXT = "The lighthouse of Norwick was built in 1954 by Ada Brook."
MISSING = "0" * 32
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": types.LATEST_PROTOCOL_VERSION,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@asynccontextmanager
async def agent(url: str, key: str = "") -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=30) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def running(runtime: Program) -> AsyncIterator[str]:
    """The address of a server whose sessions end with it."""
    async with serving(runtime) as url:
        try:
            yield url
        finally:
            await runtime.streams.close()


def document(runtime: Program, key: str = "", **changes: object) -> str:
    """A document of one page of somebody."""
    person = runtime.people.of_key(key) if key else runtime.people.local
    document_id = f"{len(runtime.library.records) + 1:032d}"
    (runtime.library.folder / document_id).write_text(TEXT)
    made = Document(
        document_id, person.person_id, "norwick.txt", "text/plain", 57, "", 1.0, "processed", 1
    )
    runtime.library.records[document_id] = made
    runtime.library.become(document_id, **changes)
    return document_id


async def refused(session: ClientSession, tool: str, **given: Any) -> str:
    """The code of the error that a call gets."""
    result = await session.call_tool(tool, given)
    assert result.isError
    error = result.structuredContent["error"]
    assert result.content[0].text.startswith(f"{error['code']}: ")
    assert error["request_id"]
    return error["code"]


def left() -> set[str]:
    names = {task.get_name() for task in asyncio.all_tasks()}
    return {name for name in names if name.startswith(("mcp-", "answer"))}


async def test_an_agent_finds_reads_and_lists_documents(tmp_path):
    runtime = program(tmp_path)
    document_id = document(runtime)
    document(runtime, file_name="harbour.txt")
    async with running(runtime) as url, agent(url) as session:
        tools = (await session.list_tools()).tools
        assert [one.name for one in tools] == ["search", "read", "ask", "list_documents", "verify"]
        assert all(one.annotations.readOnlyHint for one in tools)
        assert tools[0].inputSchema["required"] == ["query"]
        found = (await session.call_tool("search", {"query": "light"})).structuredContent
        first = found["passages"][0]
        assert (first["document_id"], first["text"]) == (document_id, "light is here")
        given = {"document_id": document_id, "start": 4, "max_characters": 10}
        read = (await session.call_tool("read", given)).structuredContent
        assert (read["text"], read["characters"], read["next_start"]) == ("lighthouse", 57, 14)
        listed = (await session.call_tool("list_documents", {"limit": 1})).structuredContent
        assert [one["file_name"] for one in listed["documents"]] == ["harbour.txt"]
        assert (listed["total"], listed["has_more"]) == (2, True)
        assert [one["name"] for one in listed["libraries"]] == ["My library"]
        after = {"after": listed["documents"][0]["id"], "name_contains": "NOR"}
        assert await refused(session, "list_documents", **after) == "not_found"
        del after["name_contains"]
        listed = (await session.call_tool("list_documents", after)).structuredContent
        assert [one["id"] for one in listed["documents"]] == [document_id]
        assert listed["has_more"] is False


async def test_documents_are_resources(tmp_path):
    runtime = program(tmp_path)
    document_id = document(runtime)
    document(runtime, status="processing")
    async with running(runtime) as url, agent(url) as session:
        listed = await session.list_resources()
        assert [str(one.uri) for one in listed.resources] == [f"xnai://documents/{document_id}"]
        read = await session.read_resource(listed.resources[0].uri)
        assert [one.text for one in read.contents] == [TEXT]
        templates = (await session.list_resource_templates()).resourceTemplates
        page = templates[1].uriTemplate.format(document_id=document_id, page=1)
        assert (await session.read_resource(page)).contents[0].text == TEXT
        for uri in (f"xnai://documents/{MISSING}", f"{page}0", "xnai://x", "file:///etc/passwd"):
            with pytest.raises(McpError) as caught:
                await session.read_resource(uri)
            assert (caught.value.error.code, caught.value.error.data["code"]) == (
                -32002,
                "not_found",
            )
        with pytest.raises(McpError):
            await session.list_resources(params=types.PaginatedRequestParams(cursor="x"))


async def test_an_agent_asks_and_is_told_how_far_it_is(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [
        Retrieved((), 0.1), Waiting(2, None), Reading(5, 9), Token("330 "), Token("metres"), DONE
    ]  # fmt: skip
    told: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        told.append(message or "")

    async with running(runtime) as url, agent(url) as session:
        given = {"question": "How tall?", "document_ids": [document(runtime)], "max_tokens": 9}
        result = await session.call_tool("ask", given, progress_callback=hear)
    answer = result.structuredContent
    assert (answer["answer"], answer["outcome"]) == ("330 metres", "answered")
    assert answer["citations"][0]["quote"] == CITATION.quote
    assert told == ["found 0 passages", "waiting, place 2", "reading, 5 of 9 tokens"]
    asked = runtime.pipeline.asked[0]
    assert (asked.scope.document_ids, asked.sampling.max_tokens) == (
        (given["document_ids"][0],),
        9,
    )
    assert asked.user == runtime.people.local.person_id


async def test_a_claim_is_checked_and_noted_like_a_question(tmp_path):
    runtime = program(tmp_path)
    async with running(runtime) as url, agent(url) as session:
        given = {"claim": "It is 330 metres tall.", "document_ids": [document(runtime)]}
        told = (await session.call_tool("verify", given)).structuredContent
        assert (told["verdict"], told["claim"]) == ("supports", given["claim"])
        assert (told["sentence"]["quote"], told["sentence"]["page"]) == (CITATION.quote, 3)
        assert runtime.pipeline.asked[0].scope.document_ids == tuple(given["document_ids"])
        runtime.pipeline.script = [60.0]
        runtime.pipeline.started.clear()
        checking = asyncio.create_task(session.call_tool("verify", given))
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.started.wait()
            assert runtime.streams.active == 1
            await runtime.streams.close()
            assert (await checking).structuredContent["error"]["code"] == "shutting_down"


async def test_what_is_wrong_is_said(tmp_path):
    runtime = program(tmp_path)
    document_id = document(runtime, status="error", error_message="It is torn")
    runtime.pipeline.script = [XnaiError(MODEL_CRASHED, reason="SIGSEGV")]
    async with running(runtime) as url, agent(url) as session:
        for tool, given in (
            ("search", {}),
            ("search", {"query": " "}),
            ("search", {"query": ["x"]}),
            ("search", {"query": "x" * 10_001}),
            ("search", {"query": "x", "limit": 21}),
            ("search", {"query": "x", "limit": True}),
            ("search", {"query": "x", "owner": "bob"}),
            ("search", {"query": "x", "document_ids": ["x"] * 1001}),
            ("read", {"document_id": document_id, "page": 0}),
            ("read", {"document_id": document_id, "start": -1}),
            ("ask", {"question": "x", "max_tokens": 2**40}),
            ("verify", {"claim": "x" * 1001}),
            ("list_documents", {"limit": 0}),
        ):
            assert await refused(session, tool, **given) == "bad_request", (tool, given)
        assert await refused(session, "read", document_id=document_id) == "document_failed"
        assert await refused(session, "read", document_id=MISSING) == "not_found"
        assert await refused(session, "search", query="x", library_ids=[MISSING]) == "not_found"
        assert await refused(session, "delete_everything") == "not_found"
        assert await refused(session, "ask", question="x") == "model_crashed"
        runtime.search_state.state = "starting"
        assert await refused(session, "search", query="x") == "search_down"


async def test_what_is_somebody_elses_is_not_there(tmp_path):
    runtime = program(tmp_path, api_keys=f"{ANN},{BOB}")
    theirs = document(runtime, ANN)
    async with running(runtime) as url, agent(url, BOB) as session:
        assert await refused(session, "read", document_id=theirs) == "not_found"
        for tool, words in (("search", "query"), ("ask", "question"), ("verify", "claim")):
            given = {words: "Norwick", "document_ids": [theirs]}
            assert await refused(session, tool, **given) == "not_found"
        for tool, given in (("search", {"query": "x"}), ("list_documents", {})):
            result = (await session.call_tool(tool, given)).structuredContent
            assert theirs not in str(result)
        assert (await session.list_resources()).resources == []
        with pytest.raises(McpError):
            await session.read_resource(f"xnai://documents/{theirs}")
        # A session is its person's alone.
        async with httpx.AsyncClient(base_url=url) as http:
            mine = {**ACCEPT, "Authorization": f"Bearer {ANN}"}
            made = await http.post("/mcp", headers=mine, json=HELLO)
            mine["mcp-session-id"] = made.headers["mcp-session-id"]
            ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
            statuses = [
                (await http.post("/mcp", headers=headers, json=ping)).status_code
                for headers in (mine, {**mine, "Authorization": f"Bearer {BOB}"}, ACCEPT)
            ]
    assert statuses == [200, 404, 401]


async def test_a_call_that_is_cancelled_stops_the_answer(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [Token("Hello"), 60.0, DONE]
    async with running(runtime) as url, agent(url) as session:
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(McpError):
                    await session.call_tool("ask", {"question": "How tall?"})

            group.start_soon(ask)
            async with asyncio.timeout(PATIENCE):
                await runtime.pipeline.started.wait()
            params = types.CancelledNotificationParams(requestId=1)
            await session.send_notification(
                types.ClientNotification(types.CancelledNotification(params=params))
            )
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.closed_at.get()
        runtime.pipeline.script = [DONE]  # and the session goes on
        assert not (await session.call_tool("ask", {"question": "And now?"})).isError


async def test_a_client_that_vanishes_leaves_nothing_behind(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [Token("Hello"), 60.0, DONE]
    async with running(runtime) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            made = await http.post("/mcp", headers=ACCEPT, json=HELLO)
            headers = {**ACCEPT, "mcp-session-id": made.headers["mcp-session-id"]}
            params = {"name": "ask", "arguments": {"question": "How tall?"}}
            call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
            asking = asyncio.create_task(http.post("/mcp", headers=headers, json=call))
            async with asyncio.timeout(PATIENCE):
                await runtime.pipeline.started.wait()
            asking.cancel()
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.closed_at.get()
        await eventually(lambda: left() == {"mcp-sessions"}, "the call has ended")
        assert runtime.streams.active == 0


async def test_the_end_of_the_server_ends_sessions_and_lets_calls_finish(tmp_path):
    runtime = program(tmp_path)
    runtime.pipeline.script = [Token("Hello"), 0.2, DONE]
    async with serving(runtime) as url, httpx.AsyncClient(base_url=url) as http:
        assert left() == set()  # nothing runs before the first request
        made = await http.post("/mcp", headers=ACCEPT, json=HELLO)
        headers = {**ACCEPT, "mcp-session-id": made.headers["mcp-session-id"]}
        listening = asyncio.create_task(http.get("/mcp", headers=headers))
        params = {"name": "ask", "arguments": {"question": "How tall?"}}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        asking = asyncio.create_task(http.post("/mcp", headers=headers, json=call))
        async with asyncio.timeout(PATIENCE):
            await runtime.pipeline.started.wait()
            await runtime.streams.close(PATIENCE)
            assert "Hello" in (await asking).text
            assert (await listening).status_code == 200
        await eventually(lambda: left() == set(), "all has ended")


async def test_a_session_that_is_not_used_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    runtime = program(tmp_path)
    async with running(runtime) as url, httpx.AsyncClient(base_url=url) as http:
        answers = [await http.post("/mcp", headers=ACCEPT, json=HELLO) for _ in range(2)]
        headers = {**ACCEPT, "mcp-session-id": answers[0].headers["mcp-session-id"]}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}

        async def is_over() -> bool:
            await asyncio.sleep(0.1)  # longer than it may be idle; each look begins its time anew
            return (await http.post("/mcp", headers=headers, json=ping)).status_code == 404

        await eventually(is_over, "the session has ended")


async def test_one_person_has_so_many_sessions(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    runtime = program(tmp_path)
    async with running(runtime) as url, httpx.AsyncClient(base_url=url) as http:
        answers = [await http.post("/mcp", headers=ACCEPT, json=HELLO) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 503]
        first = {**ACCEPT, "mcp-session-id": answers[0].headers["mcp-session-id"]}
        assert (await http.delete("/mcp", headers=first)).status_code == 200
        assert (await http.post("/mcp", headers=ACCEPT, json=HELLO)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', 400),  # without a session
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', 400),
        (b'"' + b"x" * 300_000 + b'"', 413),
    ],
)
async def test_a_body_that_is_no_message_is_refused(tmp_path, body, status):
    async with running(program(tmp_path)) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.post("/mcp", headers=ACCEPT, content=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["message"]
        assert (await http.post("/mcp", headers=ACCEPT, json=HELLO)).status_code == 200


async def test_foreign_pages_hosts_and_methods_are_refused(tmp_path):
    async with running(program(tmp_path)) as url, httpx.AsyncClient(base_url=url) as http:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            answer = await http.post("/mcp", headers={**ACCEPT, **headers}, json=HELLO)
            assert answer.status_code in {403, 421}, answer.text
        assert (await http.put("/mcp", json=HELLO)).status_code == 405
        assert (await http.post("/mcp/x", json=HELLO)).status_code == 404
