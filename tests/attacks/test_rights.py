"""What is one person's is not there for another: every route, every owner, every event.

One server with two keys. Ann puts a document into a chat of the page and one over the API; Bob, who
has a key of his own, a stranger without one, and Ann herself ask for everything that has an id.
"""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import socketio
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from paths import ROOT
from stream_pages import Page
from ui_client import Tab, refusal, tidy_up

from rig.page import upload
from rig.waiting import eventually
from rig.whole_server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"
TEXT = b"The lighthouse of Norwick was built in 1954."
MISSING = "0" * 32
NO_THREAD = "00000000-0000-4000-8000-000000000000"
# Everything that is served, and who is let in: what is not here has not been thought about.
OPEN = """
GET /health  GET /health/live  GET /health/ready  GET /pages/theme.css  POST /login  GET /login
GET /  GET /thread  GET /thread/{thread_id}  GET /pages/texts.json
GET /public/vendor/pdfjs-dist/{filename:path}
GET /openapi.json  POST /logout  POST /auth/header  GET /auth/config  GET /public/{filename:path}
GET /assets/{filename:path}  GET /assets/money/{filename:path}  GET /favicon  GET /logo
GET /avatars/{name:path}  GET /avatars/{avatar_id:str}  HEAD /  GET /{full_path:path}
POST /set-session-cookie  GET /project/translations  GET /project/settings
"""
ANY_KEY = """
POST /v1/chat/completions  GET /v1/files  POST /v1/files  GET /v1/breakers  GET /metrics
GET /v1/breakers/{name:path}  GET /v1/models  GET /v1/models/{name:path}
GET /v1/vector_stores  POST /v1/vector_stores  POST /v1/sync
POST /v1/embeddings  POST /v1/responses
GET /mcp  POST /mcp  DELETE /mcp
"""
FIRST_KEY = "POST /v1/breakers/{name:path}"
# Of the page, by the cookie of whoever has the first key.
OPERATOR = """
POST /models/endpoint  DELETE /models/endpoint
DELETE /models/{name}  POST /models/{name}/get  POST /models/{name}/pause  POST /models/{name}/use
"""
SIGNED_IN = """
GET /user  POST /project/threads  GET /documents  GET /models  POST /libraries
GET /conversations/pinned
"""
OWNED = """
GET /v1/files/{id}  DELETE /v1/files/{id}  GET /v1/files/{id}/content
GET /v1/files/{id}/pages/{page}.png  GET /v1/files/{id}/pages/{page}  PUT /feedback
DELETE /feedback  GET /project/thread/{thread_id}  PUT /project/thread  DELETE /project/thread
GET /project/thread/{thread_id}/element/{element_id}  POST /project/action  POST /project/file
GET /project/file/{file_id}  GET /reader/{id}  GET /reader/{id}/layer  DELETE /documents/{id}
POST /documents/{id}/again  GET /conversations/{id}  DELETE /libraries/{id}
POST /libraries/{id}/files
PUT /conversations/{id}/pin  DELETE /conversations/{id}/pin
PUT /libraries/{id}/documents/{document}  DELETE /libraries/{id}/documents/{document}
GET /v1/vector_stores/{id}  POST /v1/vector_stores/{id}  DELETE /v1/vector_stores/{id}
POST /v1/vector_stores/{id}/search  GET /v1/vector_stores/{id}/files
POST /v1/vector_stores/{id}/files  GET /v1/vector_stores/{id}/files/{file_id}
POST /v1/vector_stores/{id}/files/{file_id}  DELETE /v1/vector_stores/{id}/files/{file_id}
POST /v1/sync/changes  POST /v1/sync/files  POST /v1/sync/gone  POST /documents/bulk
POST /v1/vector_stores/{id}/file_batches  GET /v1/vector_stores/{id}/file_batches/{batch_id}
POST /v1/vector_stores/{id}/file_batches/{batch_id}/cancel
GET /v1/vector_stores/{id}/file_batches/{batch_id}/files
"""
SHUT = """
/docs /docs/oauth2-redirect /redoc /auth/jwt /auth/oauth/{rest:path}
/copilot/{rest:path} /project/element /project/share/{rest:path} /project/thread/share
/slack/events /teams/events
"""
# Chainlit's, shut and behind ours of the same names.
BEHIND = "/openapi.json /mcp"
LIST = """
import json, app
from xnai.api.routes import ApiRoute
def walk(routes):
    for route in routes:
        below = getattr(route, "_router", None) or getattr(route, "original_router", None)
        if below is not None:
            yield from walk(below.routes)
        else:
            yield [sorted(getattr(route, "methods", None) or ["*"]), route.path]
print("ROUTES" + json.dumps(list(walk(app.app.router.routes))))
"""


@dataclass
class World:
    """The server, who asks, and what is Ann's."""

    server: Server
    ann: httpx.AsyncClient  # the page
    bob: httpx.AsyncClient
    stranger: httpx.AsyncClient
    page: Page
    chat_file: str = ""
    api_file: str = ""
    library: str = ""
    step: str = ""
    element: str = ""
    feedback: str = ""

    async def api(self, key: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.stranger.request(method, path, headers=headers, **options)


async def signed_in(server: Server, key: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=server.url, timeout=30)
    answer = await client.post("/login", data={"username": "x", "password": key})
    answer.raise_for_status()
    return client


async def processed(world: World, key: str, file_id: str) -> None:
    async def is_read() -> bool:
        told = (await world.api(key, "GET", f"/v1/files/{file_id}")).json()
        return told["status"] == "processed"

    await eventually(is_read, file_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    server = Server(
        tmp_path_factory.mktemp("rights"),
        # No model is needed, and none is compiled.
        {"XNAI_API_KEYS": f"{ANN},{BOB}", "XNAI_LLM_URL": "http://127.0.0.1:9"},
    )
    server.start()
    try:
        await asyncio.to_thread(server.wait, status="ready")
        page = Page(server)
        await page.http.aclose()
        page.http = await signed_in(server, ANN)
        stranger = httpx.AsyncClient(base_url=server.url, timeout=30)
        world = World(server, page.http, await signed_in(server, BOB), stranger, page)
        await page.open()
        await page.ask("", TEXT)
        await page.until(lambda: page.has("Ready to be asked"), "what was read")
        links = [e["url"] for e in page.elements.values() if "/v1/files/" in (e.get("url") or "")]
        world.chat_file = links[0].split("/")[3]
        made = await world.api(ANN, "POST", "/v1/files", files={"file": ("ann.txt", TEXT)})
        world.api_file = made.raise_for_status().json()["id"]
        await processed(world, ANN, world.api_file)
        store = {"name": "Ann's", "file_ids": [world.api_file, world.chat_file]}
        made = await world.api(ANN, "POST", "/v1/vector_stores", json=store)
        world.library = made.raise_for_status().json()["id"]
        thread = (await world.ann.get(f"/project/thread/{page.thread}")).json()
        world.step = next(s["id"] for s in thread["steps"] if s["type"] == "assistant_message")
        world.element = thread["elements"][0]["id"]
        body = {"feedback": {"forId": world.step, "value": 1}, "sessionId": page.session}
        rated = await world.ann.put("/feedback", json=body)
        world.feedback = rated.raise_for_status().json()["feedbackId"]
        yield world
    finally:
        await tidy_up()
        await asyncio.to_thread(server.stop)


async def test_every_route_has_been_thought_about(tmp_path: Path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XNAI_", "CHAINLIT_"))}
    settings = {"XNAI_DATA_DIR": str(tmp_path), "XNAI_LLM_URL": "http://127.0.0.1:9"}
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", LIST],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    known = f"{OPEN} {ANY_KEY} {FIRST_KEY} {OPERATOR} {SIGNED_IN} {OWNED}".split()
    routes = {*zip(known[::2], known[1::2], strict=True)}
    shut = [path.split("{")[0] for path in f"{SHUT} {BEHIND}".split()]
    strange = [
        (method, path)
        for methods, path in json.loads(told.stdout.split("ROUTES")[1])
        for method in methods
        if (("GET" if method == "HEAD" and path != "/" else method), path) not in routes
        and not any(path.startswith(one) for one in shut)
        and path != "/ws/socket.io"
    ]
    assert strange == []


def same(first: httpx.Response, second: httpx.Response, *ids: str) -> bool:
    """Whether two answers tell the same, but for the ids that were asked for."""

    def told(answer: httpx.Response) -> str:
        body = answer.json()
        for key in ("request_id", "timestamp"):
            body.get("error", {}).pop(key, None)
        text = json.dumps(body)
        for one in ids:
            text = text.replace(one, "ID")
        return f"{answer.status_code} {text}"

    return told(first) == told(second)


@pytest.mark.parametrize("kind", ["chat_file", "api_file"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files/{}"),
        ("GET", "/v1/files/{}/content"),
        ("GET", "/v1/files/{}/pages/0"),
        ("GET", "/v1/files/{}/pages/1.png"),
        ("DELETE", "/v1/files/{}"),
    ],
)
async def test_a_document_of_somebody_else_is_not_there(world, kind, method, path):
    file_id = getattr(world, kind)
    address, nowhere = path.format(file_id), path.format(MISSING)
    theirs = await world.api(BOB, method, address)
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "not_found")
    assert same(theirs, await world.api(BOB, method, nowhere), file_id, MISSING)
    assert (await world.api("", method, address)).status_code == 401
    by_cookie = await world.bob.request(method, address)
    opens = path.count("/") > 3  # these take the page's cookie
    assert by_cookie.status_code == (404 if opens else 401)
    if method == "GET" and not path.endswith("png"):
        assert (await world.api(ANN, method, address)).status_code == 200
        assert (await world.ann.request(method, address)).status_code == (200 if opens else 401)


@pytest.mark.parametrize("kind", ["chat_file", "api_file"])
async def test_the_reader_shows_nobody_elses_document(world, kind):
    address, nowhere = f"/reader/{getattr(world, kind)}", f"/reader/{MISSING}"
    theirs, none = await world.bob.get(address), await world.bob.get(nowhere)
    assert (theirs.status_code, theirs.text) == (404, none.text)
    assert (await world.api("", "GET", address)).status_code == 401
    assert "Norwick" in (await world.ann.get(address)).text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/vector_stores/{library}", None),
        ("POST", "/v1/vector_stores/{library}", {"name": "Bob's"}),
        ("DELETE", "/v1/vector_stores/{library}", None),
        ("POST", "/v1/vector_stores/{library}/search", {"query": "lighthouse"}),
        ("GET", "/v1/vector_stores/{library}/files", None),
        ("POST", "/v1/vector_stores/{library}/files", {"file_id": "{file}"}),
        ("GET", "/v1/vector_stores/{library}/files/{file}", None),
        ("POST", "/v1/vector_stores/{library}/files/{file}", {"attributes": {"a": 1}}),
        ("DELETE", "/v1/vector_stores/{library}/files/{file}", None),
        ("POST", "/v1/vector_stores/{library}/file_batches", {"file_ids": ["{file}"]}),
        ("GET", "/v1/vector_stores/{library}/file_batches/{file}", None),
        ("POST", "/v1/vector_stores/{library}/file_batches/{file}/cancel", None),
        ("GET", "/v1/vector_stores/{library}/file_batches/{file}/files", None),
        (
            "POST",
            "/v1/responses",
            {
                "input": "When was it built?",
                "tools": [{"type": "file_search", "vector_store_ids": ["{library}"]}],
            },
        ),
        (
            "POST",
            "/v1/chat/completions",
            {
                "messages": [{"role": "user", "content": "When was it built?"}],
                "retrieval": {"vector_store_ids": ["{library}"]},
            },
        ),
    ],
)
async def test_a_library_of_somebody_else_is_not_there(world, method, path, body):
    async def ask(key: str, library: str) -> httpx.Response:
        def fill(text: str) -> str:
            return text.replace("{library}", library).replace("{file}", world.api_file)

        options = {} if body is None else {"json": json.loads(fill(json.dumps(body)))}
        return await world.api(key, method, fill(path), **options)

    theirs = await ask(BOB, world.library)
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "not_found")
    assert same(theirs, await ask(BOB, MISSING), world.library, MISSING)
    assert (await ask("", world.library)).status_code == 401
    kept = (await world.api(ANN, "GET", f"/v1/vector_stores/{world.library}")).json()
    assert (kept["name"], kept["file_counts"]["total"]) == ("Ann's", 2)


async def test_the_page_shows_and_changes_nobody_elses_library(world):
    own = await world.bob.post("/libraries", content="Bob's")
    assert own.status_code == 200
    for method, path in (
        ("DELETE", f"/libraries/{world.library}"),
        ("PUT", f"/libraries/{world.library}/documents/{world.api_file}"),
        ("DELETE", f"/libraries/{world.library}/documents/{world.api_file}"),
        ("PUT", f"/libraries/{own.json()['id']}/documents/{world.api_file}"),
        ("GET", f"/documents?library={world.library}"),
        ("POST", f"/libraries/{world.library}/files"),
    ):
        named = {"x-xnai-name": "mine.txt"}
        assert (await world.bob.request(method, path, headers=named)).status_code == 404, path
        theirs = await world.stranger.request(method, path, headers=named)
        assert theirs.status_code in {303, 401}, path
    assert (await world.stranger.post("/libraries", content="x")).status_code == 401
    for client, is_seen in ((world.ann, True), (world.bob, False)):
        shown = (await client.get("/documents")).text
        assert (world.library in shown, own.json()["id"] in shown) == (is_seen, not is_seen)
    assert world.api_file in (await world.ann.get(f"/documents?library={world.library}")).text


async def test_a_chat_is_pinned_by_nobody_else_and_told_to_nobody_else(world):
    address = f"/conversations/{world.page.thread}/pin"
    for method in ("PUT", "DELETE"):
        assert (await world.bob.request(method, address)).status_code == 404
        assert (await world.stranger.request(method, address)).status_code == 401
    assert (await world.ann.get("/conversations/pinned")).json() == []
    assert (await world.ann.put(address)).status_code == 204
    assert (await world.bob.get("/conversations/pinned")).json() == []
    assert [one["id"] for one in (await world.ann.get("/conversations/pinned")).json()] == [
        world.page.thread
    ]
    assert (await world.ann.delete(address)).status_code == 204


async def test_a_key_beside_somebodys_cookie_counts_alone(world):
    for client, key, status in ((world.ann, BOB, 404), (world.bob, ANN, 200)):
        answer = await client.get(
            f"/v1/files/{world.chat_file}/content", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == status


async def test_lists_and_questions_know_ones_own_alone(world):
    listed = [(await world.api(key, "GET", "/v1/files")).json()["data"] for key in (ANN, BOB)]
    assert [[file["id"] for file in files] for files in listed] == [[world.api_file], []]
    ask = {"messages": [{"role": "user", "content": "When was the lighthouse built?"}]}
    for file_id in (world.chat_file, world.api_file, MISSING):
        body = {**ask, "retrieval": {"document_ids": [file_id]}}
        theirs = await world.api(BOB, "POST", "/v1/chat/completions", json=body)
        assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "not_found")
    threads = {"pagination": {"first": 50}, "filter": {}}
    user = (await world.ann.get("/user")).json()
    for name in ({}, {"userId": user["id"]}, {"userId": user["identifier"]}):
        found = await world.bob.post("/project/threads", json={**threads, "filter": name})
        assert found.json()["data"] == []
    mine = (await world.ann.post("/project/threads", json=threads)).json()["data"]
    assert [thread["id"] for thread in mine] == [world.page.thread]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/project/thread/{thread}", None),
        ("GET", "/project/thread/{thread}/element/{element}", None),
        ("PUT", "/project/thread", {"threadId": "{thread}", "name": "Bob's"}),
        ("DELETE", "/project/thread", {"threadId": "{thread}"}),
        ("PUT", "/feedback", {"feedback": {"forId": "{step}", "value": 0}, "sessionId": ""}),
        ("DELETE", "/feedback", {"feedbackId": "{feedback}"}),
        (
            "POST",
            "/project/action",
            {"action": {"name": "answer_again", "payload": {}}, "sessionId": "{session}"},
        ),
        ("GET", "/project/file/{element}?session_id={session}", None),
        ("POST", "/project/file?session_id={session}", None),
    ],
)
async def test_a_chat_of_somebody_else_is_not_there(world, method, path, body):
    ids = {
        "thread": world.page.thread,
        "element": world.element,
        "step": world.step,
        "feedback": world.feedback,
        "session": world.page.session,
    }
    before = (await world.ann.get(f"/project/thread/{world.page.thread}")).json()

    async def ask(client: httpx.AsyncClient, names: dict[str, str]) -> httpx.Response:
        def fill(text: str) -> str:
            for name, value in names.items():
                text = text.replace(f"{{{name}}}", value)
            return text

        options: dict[str, Any] = {}
        if body is not None:
            options["content"] = fill(json.dumps(body))
            options["headers"] = {"Content-Type": "application/json"}
        elif method == "POST":
            options["files"] = {"file": ("a.txt", b"x", "text/plain")}
        return await client.request(method, fill(path), **options)

    theirs = await ask(world.bob, ids)
    nothing = await ask(world.bob, dict.fromkeys(ids, NO_THREAD))
    assert same(theirs, nothing, *ids.values(), NO_THREAD), (theirs.text, nothing.text)
    assert theirs.status_code == 404 or theirs.json() == {"success": False}
    assert (await ask(world.stranger, ids)).status_code == 401
    after = (await world.ann.get(f"/project/thread/{world.page.thread}")).json()
    assert before == after


async def test_a_session_and_a_thread_of_somebody_else_cannot_be_joined(world):
    fresh = await Tab(world.server, world.ann).open()
    await fresh.wait("chat_settings")
    # Nobody has spoken in it, so the history does not know it: its id is known to the server alone.
    unspoken = await unspoken_thread(world, fresh)
    for auth in (
        {"threadId": world.page.thread},
        {"threadId": unspoken},
        {"sessionId": world.page.session},
        {"sessionId": fresh.session_id},
    ):
        told = await refusal(world.server, world.bob, **auth)
        assert "message" in told
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Tab(world.server, world.stranger).open(**auth)
    await fresh.close()


async def unspoken_thread(world: World, tab: Tab) -> str:
    """Open the chat once more under a thread id of our own, as a page that is reloaded does."""
    thread = str(uuid.uuid4())
    again = await Tab(world.server, world.ann).open(threadId=thread)
    await eventually(lambda: again.saw("task_end"), "the chat")
    assert tab.socket.connected
    return thread


async def test_events_with_ids_of_somebody_else_change_nothing(world):
    before = (await world.ann.get(f"/project/thread/{world.page.thread}")).json()
    file = await upload(world.ann, world.page.session, "secret.txt", TEXT, "text/plain")
    seen = len(world.page.tab.events)
    tab = await Tab(world.server, world.bob).open()
    await tab.wait("chat_settings")
    for event, payload in (
        ("edit_message", {"message": {"id": world.page.question, "output": "Bob was here"}}),
        ("edit_message", {"message": {"id": world.step, "output": "Bob was here"}}),
        ("message_favorite", {"message": {"id": world.step, "metadata": {"favorite": True}}}),
        ("fetch_favorites", None),
        ("stop", None),
        ("chat_settings_change", {"max_tokens": 1}),
    ):
        await tab.socket.emit(event, *([payload] if payload else []))
    message = {"id": world.page.question, "name": "x", "type": "user_message", "output": "mine"}
    references = [{"id": file.json()["id"]}, {"id": world.element}]
    payload = {"message": {**message, "threadId": world.page.thread}, "fileReferences": references}
    await tab.socket.emit("client_message", payload)
    await eventually(lambda: tab.thread_id, "a chat of Bob's own")
    deleted = await world.bob.delete(f"/documents/{world.chat_file}")
    again = await world.bob.post(f"/documents/{world.chat_file}/again")
    layer = await world.bob.get(f"/reader/{world.chat_file}/layer?page=1")
    assert [one.status_code for one in (deleted, again, layer)] == [404, 404, 404]
    for query in ("", f"?chat={world.page.thread}", "?q=Norwick"):
        assert world.chat_file not in (await world.bob.get(f"/documents{query}")).text
        assert world.chat_file in (await world.ann.get(f"/documents{query}")).text
    told = json.dumps([data for _, data in tab.events], default=str)
    after = (await world.ann.get(f"/project/thread/{world.page.thread}")).json()
    await tab.close()
    kept = await world.api(ANN, "GET", f"/v1/files/{world.chat_file}")
    assert before == after
    assert tab.thread_id != world.page.thread
    assert kept.json()["status"] == "processed"
    assert not [w for w in (world.chat_file, world.api_file, "secret.txt", "1954") if w in told]
    came = [(name, data) for name, data in world.page.tab.events[seen:] if name != "element"]
    # How far her own file is read is told to Ann, and nothing else.
    assert all(name == "window_message" for name, _ in came)
    names = {row["name"] for _, data in came for row in data["rows"]}
    assert names <= {"secret.txt"}


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("read", {"document_id": "{file}"}),
        ("search", {"query": "lighthouse", "document_ids": ["{file}"]}),
        ("search", {"query": "lighthouse", "library_ids": ["{library}"]}),
        ("ask", {"question": "When was it built?", "document_ids": ["{file}"]}),
        ("ask", {"question": "When was it built?", "library_ids": ["{library}"]}),
        ("verify", {"claim": "It was built in 1954.", "document_ids": ["{file}"]}),
        ("verify", {"claim": "It was built in 1954.", "library_ids": ["{library}"]}),
        ("list_documents", {"library_id": "{library}"}),
    ],
)
async def test_tools_of_agents_know_nothing_of_somebody_elses(world, tool, given):
    text = json.dumps(given)
    answers = {}
    for name, key, file, library in (
        ("theirs", BOB, world.chat_file, world.library),
        ("none", BOB, MISSING, MISSING),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx.AsyncClient(headers=headers, timeout=30) as http,
            streamable_http_client(f"{world.server.url}/mcp", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            filled = json.loads(text.replace("{file}", file).replace("{library}", library))
            told = (await session.call_tool(tool, filled)).structuredContent["error"]
            answers[name] = told["code"], told["message"].replace(file, "ID").replace(library, "ID")
            everything = await session.call_tool("list_documents", {})
            assert world.chat_file not in str(everything)
            found = await session.call_tool("search", {"query": "lighthouse"})
            assert found.structuredContent == {"passages": []}
    assert answers["theirs"][0] == "not_found"
    assert answers["theirs"] == answers["none"]


async def test_the_servers_own_matters_are_for_the_holders_of_keys(world):
    order = {"action": "open", "reason": "x"}
    for path in ("/metrics", "/v1/models", "/v1/breakers", "/v1/breakers/index", "/v1/files"):
        asked = [(await world.api(key, "GET", path)).status_code for key in (ANN, BOB, "")]
        assert asked == [200, 200, 401], path
        assert (await world.bob.get(path)).status_code == 401  # a cookie is for the page
    body = {"messages": [{"role": "user", "content": "Hello"}], "model": "another"}
    assert (await world.api("", "POST", "/v1/chat/completions", json=body)).status_code == 401
    statuses = [
        (await world.api(key, "POST", "/v1/breakers/embedder", json=order)).status_code
        for key in (BOB, "", ANN)
    ]
    await world.api(ANN, "POST", "/v1/breakers/embedder", json={"action": "reset"})
    assert statuses == [403, 401, 200]


async def told_until(tab: Tab, seen: int, words: str) -> list[Any]:
    """The toasts of a page until one has some words."""

    def toasts() -> list[Any]:
        return [data for kind, data in tab.events[seen:] if kind == "toast"]

    await eventually(lambda: any(words in str(one) for one in toasts()), words)
    return toasts()


async def test_only_the_first_key_chooses_the_model_that_writes_everybodys_answers(world):
    body = {"messages": [{"role": "user", "content": "Hello"}], "model": "another"}
    codes = [
        (await world.api(key, "POST", "/v1/chat/completions", json=body)).json()["error"]["code"]
        for key in (BOB, ANN)
    ]
    assert codes[0] == "forbidden"
    assert codes[1] != "forbidden"
    toasts = {}
    for name, client in (("ann", world.ann), ("bob", world.bob)):
        tab = await Tab(world.server, client).open()
        await tab.wait("chat_settings")
        seen = len(tab.events)
        # The words about long instructions come behind what becomes of the model.
        settings = {"model": "another", "instructions": "x" * 3000}
        await tab.socket.emit("chat_settings_change", settings)
        toasts[name] = await told_until(tab, seen, "first 2,000")
        await tab.close()
    assert (len(toasts["ann"]), len(toasts["bob"])) == (2, 1)


@pytest.mark.parametrize("path", [path.replace("{rest:path}", "x") for path in SHUT.split()])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_what_is_not_part_of_it_is_not_there(world, method, path):
    assert (await world.ann.request(method, path)).status_code == 404


async def test_the_audit_log_names_people_by_their_ids(world):
    accounts = json.loads((world.server.folder / "data" / "accounts.json").read_text())
    ids = {row["person_id"] for row in accounts["people"]}

    def lines() -> list[dict[str, Any]]:
        text = (world.server.folder / "data" / "audit.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    await eventually(lambda: any(line["action"] == "breaker" for line in lines()), "the lines")
    assert {line["who"] for line in lines()} <= ids | {"server"}
    owners = {line["owner"] for line in lines() if line["action"] == "upload"}
    mine = (await world.ann.get("/user")).json()["identifier"]
    assert (owners, mine in ids) == ({mine}, True)
    text = json.dumps(lines())
    assert not [
        word
        for word in (ANN, BOB, "key:", '"local"', '"api"')
        if word in text.replace('"via": "api"', "")
    ]
