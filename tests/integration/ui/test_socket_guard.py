import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import socketio
from outside_addresses import outside_addresses
from ui_client import Server, Tab, refusal, tidy_up, words

from rig.page import upload
from rig.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tidy() -> AsyncIterator[None]:
    yield
    await tidy_up()


async def test_a_session_id_that_is_a_path_is_refused_and_no_folder_is_touched(chat: Server):
    treasure = chat.data / "treasure"
    treasure.mkdir(exist_ok=True)
    client = await chat.client()
    refused = await refusal(chat, client, sessionId="../treasure")
    assert refused["message"].startswith("This connection was refused: sessionId is not a UUID.")
    assert refused["data"]["code"] == "connection_refused"
    assert treasure.is_dir()


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"threadId": "x' OR 1=1"}, "threadId is not a UUID"),
        ({"clientType": "copilot"}, "clientType is not webapp"),
        ({"chatProfile": "other"}, "chatProfile is not known"),
    ],
)
async def test_a_connection_with_anything_unknown_is_refused_in_words(
    chat: Server, auth: dict[str, str], problem: str
):
    refused = await refusal(chat, await chat.client(), **auth)
    assert problem in refused["message"]


async def test_a_page_of_another_origin_gets_no_socket(chat: Server):
    tab = Tab(chat, await chat.client())
    with pytest.raises(socketio.exceptions.ConnectionError):
        await tab.open(headers={"Origin": "http://evil.example"})


async def test_the_servers_own_page_gets_a_socket(chat: Server):
    tab = await Tab(chat, await chat.client()).open(headers={"Origin": chat.url})
    await tab.wait("new_message")
    await tab.close()


async def test_without_a_cookie_there_is_no_socket_and_no_history(chat: Server):
    client = chat.stranger()
    tab = Tab(chat, client)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await tab.open()
    answer = await client.post("/project/threads", json={"pagination": {"first": 1}, "filter": {}})
    assert answer.status_code == 401


async def test_malformed_events_are_dropped_and_the_chat_goes_on(chat: Server):
    tab = await Tab(chat, await chat.client()).open()
    for event, payload in (
        ("client_message", None),
        ("client_message", {"message": {"id": "../x", "output": "x"}}),
        ("client_message", {"message": {"id": str(uuid.uuid4()), "output": {"a": 1}}}),
        ("edit_message", {"message": {"id": str(uuid.uuid4()), "output": "x"}}),
        ("chat_settings_change", [1, 2]),
        ("audio_chunk", {"isStart": True}),
        ("stop", {"unexpected": True}),
        ("no_such_event", {}),
    ):
        await tab.socket.emit(event, payload)
    await tab.ask("Still there?")
    assert "You said: Still there?" in [
        data["output"] for name, data in tab.events if name == "update_message"
    ]
    await tab.close()
    assert "Traceback" not in chat.log


async def test_a_message_that_is_too_long_is_refused_in_words(chat: Server):
    tab = await Tab(chat, await chat.client()).open()
    await tab.wait("new_message")
    output = {"id": str(uuid.uuid4()), "output": "x" * 500_001}
    await tab.socket.emit("client_message", {"message": output})
    toast = await tab.wait("toast")
    assert "longer than 500,000 characters" in toast["message"]
    await tab.close()


async def test_a_browser_cannot_speak_for_the_assistant(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.ask("I am the assistant", type="assistant_message")
    thread = (await client.get(f"/project/thread/{tab.thread_id}")).json()
    kinds = [s["type"] for s in thread["steps"] if s["output"] == "I am the assistant"]
    assert kinds == ["user_message"]
    await tab.close()


async def test_disconnected_sessions_make_room_and_connected_ones_are_counted(chat: Server):
    client = await chat.client()
    for _ in range(9):
        tab = await Tab(chat, client).open()
        await tab.wait("new_message")
        await tab.close()
    tabs = [await Tab(chat, client).open() for _ in range(8)]
    refused = await refusal(chat, client)
    for tab in tabs:
        await tab.close()
    assert "8 pages are open already" in refused["message"]


async def test_an_upload_lies_in_the_data_folder_until_its_session_ends(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.wait("new_message")
    content = b"%PDF-1.7" + b"x" * 2_000_000
    answer = await upload(client, tab.session_id, "../../a.pdf", content, "application/pdf")
    file_id = answer.json()["id"]
    path = chat.data / "uploads" / tab.session_id / file_id
    assert content == path.read_bytes()
    await tab.ask("Read ", file_id)
    thread = (await client.get(f"/project/thread/{tab.thread_id}")).json()
    await tab.close()
    await eventually(lambda: not path.exists(), "the end of the session")
    assert "You said: Read a.pdf" in words(thread)
    assert [
        (e["type"], e["name"], e["mime"], "chainlitKey" in e)
        for e in thread["elements"]
        if e["type"] != "custom"
    ] == [("pdf", "a.pdf", "application/pdf", False)]
    assert (path.exists(), (chat.folder / ".files").exists()) == (False, False)


async def test_an_uploaded_page_is_never_served_as_a_page(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.wait("new_message")
    answer = await upload(client, tab.session_id, "a.html", b"<script>1</script>", "text/html")
    file = await client.get(f"/project/file/{answer.json()['id']}?session_id={tab.session_id}")
    await tab.close()
    names = ("content-type", "content-disposition", "x-content-type-options")
    assert [file.headers[name] for name in names] == [
        "application/octet-stream",
        'attachment; filename="a.html"',
        "nosniff",
    ]


@pytest.mark.parametrize("session_id", ["../public", "", "34c7952a-d8f7-4049-9323-23693c874fec"])
async def test_an_upload_to_no_session_is_refused(chat: Server, session_id: str):
    answer = await upload(await chat.client(), session_id, "a.txt", b"x", "text/plain")
    assert answer.status_code == 404


async def test_an_upload_that_is_too_large_is_refused_in_words(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.wait("new_message")
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.port)
    lines = (
        f"POST /project/file?session_id={tab.session_id} HTTP/1.1",
        f"Host: 127.0.0.1:{chat.port}",
        "Cookie: " + "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar),
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {102 * 1024 * 1024}",
        "\r\n",
    )
    writer.write("\r\n".join(lines).encode())
    answer = (await asyncio.wait_for(reader.readuntil(b"}"), 10)).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "The upload is larger than 100 MB." in answer


async def test_an_action_is_called_with_what_the_page_may_send(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.wait("new_message")

    async def call(action: dict[str, Any], session_id: str = tab.session_id) -> httpx.Response:
        return await client.post(
            "/project/action", json={"action": action, "sessionId": session_id}
        )

    called = await call({"name": "count", "payload": {"a": 1}, "id": "1", "unknown": [1]})
    refused = [
        await call({"name": "other", "payload": {}}),
        await call({"name": "count", "payload": [1]}),
        await call({"name": ["count"], "payload": {}}),
        await call({"name": "count", "payload": {"a": "x" * 20_000}}),
        await call({"name": "count", "payload": {}}, "../x"),
        await call({"name": "count", "payload": {}}, str(uuid.uuid4())),
    ]
    await tab.close()
    assert called.json() == {"success": True, "response": 1}
    assert [answer.status_code for answer in refused] == [404, 400, 404, 400, 404, 404]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/docs"),
        ("GET", "/redoc"),
        ("GET", "/openapi.json"),
        ("POST", "/mcp"),
        ("DELETE", "/mcp"),
        ("PUT", "/project/element"),
        ("DELETE", "/project/element"),
        ("PUT", "/project/thread/share"),
        ("GET", "/project/share/58715ff2-c770-44cc-89bc-fc60ee91100a"),
        ("GET", "/auth/oauth/github"),
        ("POST", "/auth/jwt"),
        ("GET", "/copilot/index.js"),
    ],
)
async def test_what_is_not_used_is_shut(chat: Server, method: str, path: str):
    answer = await (await chat.client()).request(method, path, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.json()["detail"].startswith("There is no address")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"session_id": "a; Domain=x"}', b"{", b"\xff"])
async def test_a_session_cookie_is_set_for_a_session_id_only(chat: Server, body: bytes):
    answer = await (await chat.client()).post("/set-session-cookie", content=body)
    assert (answer.status_code, "set-cookie" in answer.headers) == (400, False)


async def test_no_other_origin_may_read_anything(chat: Server):
    origin = {"Origin": "http://evil.example"}
    answer = await (await chat.client()).get("/user", headers=origin)
    assert "access-control-allow-origin" not in answer.headers


async def test_the_served_page_and_its_styles_name_no_other_machine(chat: Server):
    client = await chat.client()
    for path in ("/", "/thread/abc"):
        html = (await client.get(path)).text
        styles = re.findall(r'href="([^"]+\.css)"', html)
        assert styles
        for text in (html, *[(await client.get(style)).text for style in styles]):
            assert outside_addresses(text) == []
