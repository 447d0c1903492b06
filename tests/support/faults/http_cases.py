"""Requests that cannot be answered, sent to whole servers; and real faults of what these need."""

import asyncio
import contextlib
import json
import os
import signal
import uuid

import httpx
from fault_server import at_rest, client_of, door, worker_of
from steps import QUESTION, Visit, enter, fresh, say, tab_of
from ui_client import KEYS, Tab, opened

from rig.page import upload
from rig.waiting import eventually
from xnai.models.catalogue import shipped

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "hello"}]
NONE = "0" * 32
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'

FILE = {"sha256": "0" * 64, "size": 1, "mtime_ns": 1, "inode": 1}
UP = {"library_id": NONE, "source": "x", "changes": [{"path": "../a.txt", **FILE}]}

# Method, path, what is sent, and the code of the answer.
REQUESTS = (
    ("POST", CHAT, {"content": b"{"}, "bad_request"),
    ("POST", CHAT, {"json": []}, "bad_request"),
    ("POST", CHAT, {"json": {"messages": HI, "temperature": 9}}, "bad_request"),
    ("POST", CHAT, {"json": {"messages": [{"role": "user", "content": " "}]}}, "question_empty"),
    ("POST", CHAT, {"json": {"messages": HI, "model": "none"}}, "model_not_found"),
    ("POST", CHAT, {"content": b"x" * 11_000_000}, "body_too_large"),
    (
        "POST",
        CHAT,
        {"json": {"messages": HI, "retrieval": {"document_ids": [NONE]}}},
        "not_found",
    ),
    ("GET", "/v1/none", {}, "not_found"),
    ("DELETE", "/v1/models", {}, "method_not_allowed"),
    ("GET", "/v1/models/none", {}, "model_not_found"),
    ("GET", "/v1/files?limit=0", {}, "bad_request"),
    ("GET", f"/v1/files/{NONE}", {}, "not_found"),
    ("GET", f"/v1/files/{NONE}/pages/1", {}, "not_found"),
    ("POST", "/v1/files", {"content": b"x"}, "bad_request"),
    ("POST", "/v1/files", {"content": PART, "headers": MULTIPART}, "bad_request"),
    ("POST", "/v1/files", {"files": {"file": ("a.txt", b"")}}, "file_empty"),
    ("POST", "/v1/files", {"files": {"file": ("a.gif", b"GIF89a")}},
     "file_type_unsupported"),
    ("POST", "/v1/files", {"files": {"file": ("a.txt", b"word " * 500_000)}}, "file_too_large"),
    ("POST", "/v1/files", {"files": {"file": ("a.txt", b"word " * 1_300_000)}}, "file_too_large"),
    ("GET", f"/v1/vector_stores/{NONE}", {}, "not_found"),
    ("GET", "/v1/vector_stores?limit=0", {}, "bad_request"),
    ("GET", "/v1/vector_stores?order=up", {}, "bad_request"),
    ("POST", "/v1/vector_stores", {"content": b"{"}, "bad_request"),
    ("POST", "/v1/vector_stores", {"json": []}, "bad_request"),
    ("POST", "/v1/vector_stores", {"json": {"metadata": 1}}, "bad_request"),
    ("POST", "/v1/vector_stores", {"json": {"name": "x" * 300_000}}, "body_too_large"),
    ("POST", "/v1/vector_stores", {"json": [1] * 60_000}, "bad_request"),
    ("POST", "/v1/vector_stores", {"json": {"name": " "}}, "library_name_empty"),
    ("POST", "/v1/vector_stores", {"json": {"name": "x" * 300}}, "library_name_too_long"),
    ("POST", "/v1/vector_stores", {"json": {"name": "a\u202eb"}}, "library_name_unseen"),
    ("POST", "/v1/vector_stores", {"json": {"name": "My library"}}, "library_name_taken"),
    ("POST", "/v1/sync", {"json": {}}, "bad_request"),
    ("POST", "/v1/sync/changes", {"json": UP}, "bad_request"),
    ("POST", "/v1/sync/files", {"content": b"x"}, "bad_request"),
    ("POST", "/v1/sync/files", {"content": b"x", "headers": {"X-Xnai-File": "{"}}, "bad_request"),
    ("GET", "/v1/breakers/none", {}, "not_found"),
    ("POST", "/v1/breakers/none", {"json": {"action": "open"}}, "not_found"),
    ("POST", "/v1/breakers/model", {"json": {}}, "bad_request"),
    ("GET", "/health/live", {"headers": {"Host": "evil.example"}}, "host_not_allowed"),
    ("GET", "/health/live", {"headers": {"Origin": "http://evil.example"}}, "origin_not_allowed"),
    # The page's own.
    ("GET", "/auth/jwt", {}, "not_found"),
    ("GET", "/assets/none.js", {}, "not_found"),
    ("POST", "/project/threads", {"json": {"pagination": {}}}, "bad_request"),
    ("POST", "/project/file?session_id=x", {"files": {"file": ("a", b"a")}}, "chat_closed"),
    ("GET", f"/project/file/x?session_id={uuid.uuid4()}", {}, "chat_closed"),
    ("POST", "/set-session-cookie", {"content": b"{"}, "bad_request"),
    ("POST", "/set-session-cookie", {"json": {}}, "bad_request"),
    ("PUT", "/feedback", {"json": {"feedback": {"forId": "x", "value": 1}, "sessionId": "x"}},
     "not_found"),
    ("GET", f"/project/thread/{uuid.uuid4()}", {}, "not_found"),
    ("PUT", "/login", {}, "method_not_allowed"),
    ("POST", "/login", {"data": {"username": "x", "password": "x"}}, "bad_request"),
)  # fmt: skip


async def expect(v, code, method, path, **sent):
    v.judge.where = f"{method} {path}"
    answer = v.judge.response(await v.client.request(method, path, **sent))
    got = answer.json().get("error", {}).get("code") if answer.content else None
    if got != code:
        v.judge.blame(f"{code} expected, {got} came: {answer.status_code} {answer.text[:200]}")
    return answer


async def requests(v):
    for method, path, sent, code in REQUESTS:
        await expect(v, code, method, path, **sent)
    await expect(v, "not_found", "GET", f"/v1/files/{v.document}/pages/x")
    await expect(v, "not_found", "GET", f"/v1/files/{v.document}/pages/9")
    await expect(v, "not_found", "GET", f"/v1/files/{v.picture}/pages/99.png")
    await stores(v)
    bad = await v.add("bad.pdf", b"%PDF-1.7 nothing %%EOF")
    await v.read(bad)
    asking = {"messages": HI, "retrieval": {"document_ids": [bad]}}
    await expect(v, "document_failed", "POST", CHAT, json=asking)
    new = await v.add("new.txt", fresh())
    asking = {"messages": HI, "retrieval": {"document_ids": [new]}}
    answer = await v.client.post(CHAT, json=asking)
    assert answer.status_code in {200, 409}
    await v.read(new)
    long = {"messages": [{"role": "user", "content": "word " * 3000}], "retrieval": False}
    await expect(v, "question_too_long", "POST", CHAT, json=long)
    answer = await v.client.get(f"/v1/files/{v.document}/content")
    assert answer.status_code == httpx.codes.OK


async def stores(v):
    """What programs ask of libraries that cannot be done."""
    listed = (await v.client.get("/v1/vector_stores?order=asc")).json()["data"]
    one = f"/v1/vector_stores/{listed[0]['id']}"
    parts = [{"type": "and", "filters": []}] * 101
    for method, path, body, code in (
        ("POST", one, {"name": "Another"}, "bad_request"),
        ("POST", f"{one}/search", {"query": "x" * 10_001}, "bad_request"),
        ("POST", f"{one}/search", {"query": "x", "filters": {"type": "is"}}, "bad_request"),
        ("POST", f"{one}/search", {"query": "x", "filters": {"type": "or", "filters": parts}},
         "bad_request"),
        ("POST", f"{one}/search",
         {"query": "x", "filters": {"type": "in", "key": "a", "value": 1}}, "bad_request"),
        ("GET", f"{one}/files?filter=odd", None, "bad_request"),
        ("GET", f"{one}/files/{NONE}", None, "not_found"),
        ("DELETE", f"{one}/files/{NONE}", None, "not_found"),
        ("POST", f"{one}/files", {"file_id": NONE}, "not_found"),
    ):  # fmt: skip
        await expect(v, code, method, path, **({} if body is None else {"json": body}))


async def programs(v):
    """What programs and agents ask that cannot be done."""
    listed = (await v.client.get("/v1/vector_stores?order=asc")).json()["data"]
    store = listed[0]["id"]
    batches = f"/v1/vector_stores/{store}/file_batches"
    entry = {"sha256": "0" * 64, "size": 1, "mtime_ns": 1, "inode": 1}
    within = {"library_id": store, "source": "here:/x"}
    odd = {"type": "message", "role": "user", "content": "Hello"}
    for path, body in (
        ("/v1/embeddings", {"input": ["x"], "dimensions": 3}),
        ("/v1/embeddings", {"input": []}),
        ("/v1/responses", {"input": 5}),
        ("/v1/responses", {"input": "x", "tools": "y"}),
        ("/v1/responses", {"input": "x", "tools": [{"type": "web_search"}]}),
        ("/v1/responses", {"input": "x", "previous_response_id": "resp_1"}),
        ("/v1/responses", {"input": [{"type": "odd"}]}),
        ("/v1/responses", {"input": [odd] * 2001}),
        (batches, {"file_ids": [NONE], "files": [{"file_id": NONE}]}),
        ("/v1/sync/changes", {**within, "changes": [{**entry, "path": "../up.txt"}]}),
    ):
        await expect(v, "bad_request", "POST", path, json=body)
    await expect(v, "not_found", "GET", f"{batches}/{NONE}")
    await expect(v, "model_not_found", "POST", "/v1/embeddings", json={"input": "x", "model": "y"})
    await expect(v, "bad_request", "POST", "/v1/sync/files", content=b"x")
    await agents(v)
    for method, path, sent in (
        ("POST", "/documents/bulk", {"json": {"do": "odd", "ids": [v.document]}}),
        ("POST", "/documents/bulk", {"json": {"do": "delete", "ids": []}}),
        ("POST", "/documents/bulk", {"json": {"do": "tag", "ids": [NONE], "value": "x"}}),
        ("POST", "/documents/bulk", {"content": b"["}),
        ("POST", "/models/endpoint", {"data": {"url": "http://127.0.0.1:1"}}),
        ("PUT", f"/conversations/{NONE}/pin", {}),
    ):  # fmt: skip
        answer = await v.client.request(method, path, **sent)
        if not answer.is_client_error:
            v.judge.blame(f"{method} {path}: {answer.status_code}")


async def agents(v):
    """Calls of an agent that are refused; the SDK's client is in test_mcp.py."""
    headers = {"accept": "application/json, text/event-stream"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
    hello["clientInfo"] = {"name": "walk", "version": "1"}
    begun = await v.client.post("/mcp", headers=headers, json=_call(1, "initialize", hello))
    headers["mcp-session-id"] = begun.headers["mcp-session-id"]
    await v.client.post(
        "/mcp", headers=headers, json={"jsonrpc": "2.0", "method": "notifications/initialized"}
    )
    for at, (method, given) in enumerate(
        (
            ("tools/call", {"name": "odd", "arguments": {}}),
            ("tools/call", {"name": "list_documents", "arguments": {"after": NONE}}),
            ("tools/call", {"name": "read", "arguments": {"document_id": v.document, "page": 9}}),
            ("resources/list", {"cursor": "odd"}),
            ("resources/read", {"uri": "xnai://odd"}),
        ),
        2,
    ):
        answer = await v.client.post("/mcp", headers=headers, json=_call(at, method, given))
        if not answer.is_success:
            v.judge.blame(f"{method}: {answer.status_code} {answer.text[:200]}")
    await v.client.delete("/mcp", headers=headers)


def _call(number, method, given):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": given}


async def paused(v):
    """With a breaker open by hand, the page shows passages and a program gets the error."""
    for breaker, code in (("model", "model_paused"), ("index", "search_paused")):
        await v.client.post(f"/v1/breakers/{breaker}", json={"action": "open"})
        await expect(v, code, "POST", CHAT, json=v.chat(QUESTION, [v.document]))
        await v.client.post(f"/v1/breakers/{breaker}", json={"action": "watch"})
    await v.client.post("/v1/breakers/embedder", json={"action": "open"})
    answer = await v.post(CHAT, **v.chat(QUESTION, [v.document]))
    assert [r["code"] for r in answer.json()["reduced"]] == ["search_paused"]
    await v.client.post("/v1/breakers/embedder", json={"action": "watch"})


async def real_faults(v, server):
    """The model's process is killed, stopped and aborts; the disk refuses; the client goes."""
    for words, code in (
        ("late die=SIGKILL", "model_crashed"),
        ("late assert", "model_crashed"),
        ("late stuck", "model_crashed"),
    ):
        await expect_in_stream(v, code, words)
        await ready(v)
    stopped = asyncio.create_task(expect_in_stream(v, "model_crashed", "say=50 step=0.1"))
    await until_running(v)
    worker_of(server).send_signal(signal.SIGSTOP)
    await stopped
    await ready(v)
    original = server.folder / "data" / "documents"
    moved = original.rename(original.with_name("away"))
    original.touch()  # a file in the place of the folder
    await expect(v, "documents_away", "POST", "/v1/files", files={"file": ("a.txt", fresh())})
    original.unlink()
    moved.rename(original)
    incoming = original / ".incoming"
    incoming.rename(original.with_name("away"))
    incoming.touch()  # so that nothing can be written there
    await expect(v, "internal", "POST", "/v1/files", files={"file": ("a.txt", fresh())})
    incoming.unlink()
    original.with_name("away").rename(incoming)
    gone = await v.add("gone.txt", fresh())
    await v.read(gone)
    (original / gone[:2] / gone).unlink()
    await expect(v, "document_missing", "GET", f"/v1/files/{gone}/content")
    leaving = asyncio.create_task(v.client.post(CHAT, json=v.chat("say=99 step=0.1")))
    await until_running(v)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    await at_rest(v.client)


async def expect_in_stream(v, code, words):
    v.judge.where = words
    before = set(v.judge.codes)
    v.judge.codes = set()
    await v.post(CHAT, **v.chat(words, stream=True, max_tokens=200))
    if v.judge.codes != {code}:
        v.judge.blame(f"{code} expected, {v.judge.codes} came")
    v.judge.codes |= before


async def ready(v):
    for _ in range(500):
        answer = await v.client.get("/health/ready")
        if answer.json()["model"] == "ready":
            # An answer between two deaths, so that the next restart comes at once.
            (await v.client.post(CHAT, json=v.chat("hello"))).raise_for_status()
            return
        await asyncio.sleep(0.02)
    v.judge.blame("the model does not come back")


async def until_running(v):
    for _ in range(500):
        state = (await v.client.get("/faults")).json()
        if state["running"]:
            await asyncio.sleep(0.3)
            return
        await asyncio.sleep(0.01)


async def page(v, server):
    """What a page, or what passes for one, can do wrong."""
    strange = Tab(server, v.client)
    strange.session_id = "../x"
    await refused_socket(v, strange, "connection_refused")
    nobody = httpx.AsyncClient(base_url=server.url)
    await refused_socket(v, Tab(server, nobody), "sign_in_needed")
    await nobody.aclose()
    used = (await v.client.get("/health/ready")).json()["model_id"]
    for method, path in (
        ("GET", f"/conversations/{uuid.uuid4()}?as=exe"),
        ("GET", f"/conversations/{uuid.uuid4()}?as=md"),
        ("DELETE", f"/models/{used}"),
        ("POST", "/libraries"),
        ("DELETE", f"/libraries/{NONE}"),
        ("PUT", f"/libraries/{NONE}/documents/{NONE}"),
        ("POST", "/documents/bulk"),
        ("GET", f"/documents?library={NONE}"),
    ):
        v.judge.where = f"{method} {path}"
        assert v.judge.response(await v.client.request(method, path)).is_error
    async with tab_of(v) as tab:
        await enter(v, tab)
        for event, payload, code in (
            ("client_message", None, "bad_request"),
            ("edit_message", {"message": {"id": str(uuid.uuid4()), "output": "x"}}, "bad_request"),
            ("client_message", {"message": {"id": str(uuid.uuid4()), "output": "x" * 500_001}},
             "message_too_long"),
        ):  # fmt: skip
            start = len(tab.events)
            await tab.socket.emit(event, payload)
            await eventually(lambda: any(n == "toast" for n, _ in tab.events[start:]))  # noqa: B023
            v.judge.page(tab, start)
            assert code in json.dumps(tab.events[start:])
        sid = tab.session_id
        await expect(v, "not_found", "GET", f"/project/file/x?session_id={sid}")
        await expect(v, "file_empty", "POST", f"/project/file?session_id={sid}", data={"a": "b"})
        action = {"sessionId": sid, "action": {"name": "none", "payload": {}}}
        await expect(v, "not_found", "POST", "/project/action", json=action)
        action["action"] = {"name": "answer_again", "payload": "x"}
        await expect(v, "bad_request", "POST", "/project/action", json=action)
        large = {"file": ("a.txt", b"word " * 700_000)}
        await expect(v, "file_too_large", "POST", f"/project/file?session_id={sid}", files=large)
        several = [await upload(v.client, sid, f"{n}.txt", fresh(), "text/plain") for n in range(2)]
        bad = await upload(v.client, sid, "a.gif", b"GIF89a", "image/gif")
        await say(v, tab, "", bad.json()["id"])
        start = len(tab.events)
        await say(v, tab, QUESTION, *(a.json()["id"] for a in several))
        assert "too_many_files" in json.dumps(tab.events[start:])
        await door(v.client, "Library.ingest", "gone")
        start = len(tab.events)
        file = await upload(v.client, sid, "deleted.txt", fresh(), "text/plain")
        await say(v, tab, "", file.json()["id"])
        assert "document_deleted" in json.dumps(tab.events[start:])
        await door(v.client)
        most = {"file": ("a.txt", b"word " * 390_000)}
        (await v.client.post(f"/project/file?session_id={sid}", files=most)).raise_for_status()
        await expect(v, "uploads_waiting", "POST", f"/project/file?session_id={sid}", files=most)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            await enter(v, await stack.enter_async_context(tab_of(v)))
        await refused_socket(v, Tab(server, v.client), "too_many_sessions")


async def refused_socket(v, tab, code, **auth):
    with contextlib.suppress(Exception):
        await tab.open(**auth)
    refusal = await tab.wait("refused")
    assert refusal["data"]["code"] == code, refusal
    assert refusal["data"]["request_id"]
    v.judge.page(tab, 0)
    await tab.vanish()
    if tab in opened:
        opened.remove(tab)


async def keyed(server, judge):
    """A server with keys, whose only endpoints and whose Redis are gone."""
    async with client_of(server) as client:
        where = "without a key"
        answer = judge.response(await client.get("/v1/models"))
        assert answer.json()["error"]["code"] == "unauthorized", where
        first, second = ({"Authorization": f"Bearer {key}"} for key in KEYS)
        order = {"json": {"action": "open"}, "headers": second}
        answer = judge.response(await client.post("/v1/breakers/embedder", **order))
        assert answer.json()["error"]["code"] == "forbidden"
        body = {"messages": HI, "retrieval": False}
        order = {"json": {**body, "model": "none"}, "headers": second}
        answer = judge.response(await client.post(CHAT, **order))
        assert answer.json()["error"]["code"] == "forbidden"
        for stream in (True, False):
            asked = {"json": {**body, "stream": stream}, "headers": first}
            answer = judge.response(await client.post(CHAT, **asked))
            assert answer.json()["error"]["code"] == "remote_all_down", answer.text
        answer = judge.response(await client.post("/auth/header"))
        assert answer.json()["error"]["code"] == "bad_request"
        await thread_of_another(server, judge)
        for _ in range(11):
            bearer = {"headers": {"Authorization": "Bearer wrong-key"}}
            answer = judge.response(await client.get("/v1/models", **bearer))
        assert answer.json()["error"]["code"] == "sign_in_paused"
        for _ in range(2):
            wrong = {"username": "me", "password": "wrong"}
            answer = judge.response(await client.post("/login", data=wrong))
        assert answer.json()["error"]["code"] == "sign_in_paused"
        answer = judge.response(await client.post("/project/threads", json={}))
        assert answer.status_code in {401, 400}


async def thread_of_another(server, judge):
    """Two keys open a chat of one id, in which nobody has spoken yet."""
    async with client_of(server) as one, client_of(server) as other:
        for client, key in zip((one, other), KEYS, strict=True):
            judge.response(await client.post("/login", data={"username": "x", "password": key}))
        thread = {"threadId": str(uuid.uuid4())}
        tab = await Tab(server, one).open(**thread)
        await refused_socket(Visit(server, other, judge), Tab(server, other), "not_found", **thread)
        await tab.vanish()
        opened.remove(tab)
        judge.response(await other.post("/models/none/get"))
        await operating(one, other, judge)


async def operating(one, other, judge):
    """What is for the operator, and what they cannot have: no hub may be asked, no registry is."""
    address = {"url": "http://127.0.0.1:3", "confirmed": "yes"}
    known = shipped().models
    hubs = next(model.name for model in known if model.needs_hub)
    first, second = [model.name for model in known if model.files and not model.needs_hub][:2]
    begun = await one.post(f"/models/{first}/get")
    assert begun.is_success, begun.text
    for client, path, form, said in (
        (one, f"{second}/get", {}, f"{first} is being fetched"),
        (other, "endpoint", address, ">forbidden<"),
        (one, "endpoint", address, "XNAI_LLM_URL is set where"),
        (one, f"{hubs}/get", {}, "from a hub alone, and XNAI_HUB is off"),
    ):
        answer = judge.response(await client.post(f"/models/{path}", data=form))
        if said not in answer.text:
            judge.blame(f"{said!r} expected of {path}: {answer.text[-500:]}")
    await one.post(f"/models/{first}/pause")


async def stopping(server, v):
    """The server is told to stop while it answers."""
    v.judge.where = "stopping"
    held = asyncio.create_task(v.client.post(CHAT, json=v.chat("say=99 step=0.1", stream=True)))
    await until_running(v)
    os.kill(server.process.pid, signal.SIGTERM)
    v.judge.response(await held)
    assert "shutting_down" in v.judge.codes
