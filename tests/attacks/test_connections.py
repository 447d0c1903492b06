"""Strangers' connections: very many, half-open, slow, idle, and full of junk.

The server goes on answering, closes what does not come along, and writes a line where it would
have written a traceback.
"""

import asyncio
import errno
import json
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import httpx
import pytest
import pytest_asyncio
import structlog
import uvicorn
from api_server import program, serving
from paths import ROOT
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from ui_client import FIRST_KEY, KEYS, SECOND_KEY, Server, Tab, refusal, tidy_up
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from rig.processes import free_port
from rig.waiting import PATIENCE, stays, wait_until
from rig.whole_server import Server as WholeServer
from xnai.answering.streams import Stream, Streams
from xnai.api import clients
from xnai.errors import XnaiError
from xnai.llm.engine.admission import Admission
from xnai.llm.engine.estimates import Rates, Work
from xnai.observability.throttled_log import SparingLog
from xnai.resilience.shares import NoShareError, Shares
from xnai.settings import Settings
from xnai.ui.chainlit import socket_frames
from xnai.ui.server import connections, http
from xnai.ui.server import server as ui_serving
from xnai.ui.server.connections import AdmittingSocket, Ledger

in_module = pytest.mark.asyncio(loop_scope="module")  # where the server of several tests is

FEW_FILES = 1_024  # the default of systemd, here as the hard limit too
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"

# As a shell would, before the program begins.
_LIMITED = (
    "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0})); "
    "sys.argv = {1!r}; runpy.run_module({2!r}, run_name='__main__')"
)
COMMANDS = {
    "xnai serve": (["xnai", "serve"], "xnai.cli.main"),
    "chainlit run": (["chainlit", "run", str(ROOT / "app.py"), "--headless"], "chainlit"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_more_half_open_connections_than_there_may_be_files_keep_nobody_out(tmp_path, name):
    server = WholeServer(tmp_path)
    server.start(("-c", _LIMITED.format(FEW_FILES, *COMMANDS[name])))
    try:
        server.wait()
        before = len(server.log)
        with ExitStack() as stack:
            for _ in range(1_100):
                half = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                half.sendall(HALF)
            for _ in range(5):
                assert httpx.get(f"{server.url}/health/live", timeout=20).status_code == 200
        wait_until(lambda: "made room for another" in server.log[before:], "a line of the log")
        written = server.log[before:]
    finally:
        server.stop()
    assert "Traceback" not in written
    assert len(written) < 10_000


class Slow:
    """An application that reads whole bodies and answers with their length."""

    def __init__(self) -> None:
        self.left = asyncio.Event()  # a client, in the middle of its body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        await PlainTextResponse(str(len(body)))(scope, receive, send)


@asynccontextmanager
async def draining(app: object, **settings: object) -> AsyncIterator[int]:
    """The port of our server around an application."""

    async def nothing() -> None:
        return

    port = free_port()
    config = uvicorn.Config(app, port=port, http=http.HttpProtocol, lifespan="off", log_config=None)
    config.load()
    given = Settings(_env_file=None, **settings)
    server = ui_serving.DrainingServer(config, given, lambda: None, nothing, nothing)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield port
    finally:
        server._looking.cancel()
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits that a test can wait for."""
    monkeypatch.setattr(ui_serving, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(http, "BODY_SECONDS", 0.3)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        HALF,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    ],
    ids=["nothing", "half a header", "half a body", "half a chunk"],
)
@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.usefixtures("hurried")
async def test_who_sends_no_whole_request_is_cut_off(beginning, drips):
    app = Slow()
    async with draining(app) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        ended = asyncio.create_task(reader.read())
        with suppress(ConnectionError):
            while not ended.done():
                await asyncio.wait({ended}, timeout=0.05)
                if drips and not ended.done():
                    writer.write(b"x")
        with suppress(ConnectionError):
            said = await ended
            assert said == b"" or said.startswith(b"HTTP/1.1 400")  # a drop may be no chunk
        writer.close()
        if b"\r\n\r\n" in beginning:
            await app.left.wait()


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_comes_along_is_taken_however_long_it_takes(monkeypatch):
    monkeypatch.setattr(http, "BODY_RATE", 20)
    async with draining(Slow()) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n")
        for _ in range(20):  # up to 400 bytes a second for three and more limits
            writer.write(b"x" * 20)
            await asyncio.sleep(0.05)
        assert (await reader.readuntil(b"\r\n\r\n400")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_a_connection_that_rests_between_requests_is_closed():
    async with draining(Slow()) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n0")
        writer.write(b"G")  # from here on it is waited for a header
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def repeating(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with a socket that says what it hears."""
    assert scope["type"] == "websocket"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if "text" in message:
            await send({"type": "websocket.send", "text": message["text"]})


@pytest.mark.usefixtures("hurried")
async def test_a_socket_that_is_quiet_stays_open():
    async with (
        draining(repeating) as port,
        asyncio.timeout(PATIENCE),
        connect(f"ws://127.0.0.1:{port}") as page,
    ):
        await stays(lambda: page.state is State.OPEN, "the socket is open", seconds=1.0)
        await page.send("still here")
        assert await page.recv() == "still here"


JUNK_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x00\x01\x02\x03",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET " + b"a" * 100_000,
    b"\r\n" * 100,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


async def test_junk_on_the_port_is_refused_without_a_traceback(caplog):
    async with draining(Slow()) as port, asyncio.timeout(PATIENCE):
        for junk in JUNK_HTTP:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(junk)
            writer.write_eof()
            with suppress(ConnectionError):
                await reader.read()
            writer.close()
    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_address_may_not_take_more_connections_than_are_free(monkeypatch):
    monkeypatch.setattr(connections, "is_loopback", lambda _: False)
    ledger = Ledger(9)
    pairs = [socket.socketpair() for _ in range(12)]
    with ExitStack() as stack:
        for pair in pairs:
            stack.enter_context(pair[0])
            stack.enter_context(pair[1])
        made = [connections.Connection(fileno=pair[0].detach()) for pair in pairs]
        for connection in made:
            stack.enter_context(connection)
        greedy = [ledger.admit(one, "192.0.2.1") for one in made[:5]]
        for one in made[:5]:
            ledger.set_waiting(one, waiting=False)
        more = ledger.admit(made[5], "192.0.2.1")
        other = ledger.admit(made[6], "192.0.2.2")
        assert (greedy, more, other) == ([True] * 5, False, True)
        ledger.set_waiting(made[0], waiting=True)
        assert ledger.admit(made[7], "192.0.2.1")  # its own oldest made room
        assert pairs[0][1].recv(1) == b""
        made[0].close()
        assert ledger.total == 6


async def test_accepting_that_fails_is_told_once_a_second(monkeypatch):
    listener = AdmittingSocket()
    listener.ledger = Ledger(9)
    asked = 0

    def exhausted() -> None:
        nonlocal asked
        asked += 1
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(AdmittingSocket, "_accept", lambda _: exhausted(), raising=False)
    with listener, structlog.testing.capture_logs() as lines:
        monkeypatch.setattr(connections, "_warn", SparingLog(structlog.get_logger().warning))
        for _ in range(2_000):
            with pytest.raises(OSError, match=r"Too many open files|^$"):
                listener.accept()
        loop = asyncio.get_running_loop()
        message = "socket.accept() out of system resource"
        ui_serving._handle_loop_error(loop, {"message": message, "exception": OSError()})
    assert (asked, len(lines)) == (1, 1)


FRAMES = [
    "", "x", "9", "6", "0", "b", "bAAAA", "²", "2", "2x", "4", "4x", "44", "45", "46", "47", "4²",
    '42["connect"]', '42["disconnect"]', '42["connect_error"]', '42["connect",{},{}]',
    "42", "42[]", "42{}", "421", '42"x"', "42null", "42[1]", "42[null]", "42[[]]", "42[{}]",
    '42[{"a":1},2]', "42[", '42["stop"', '42/other,["stop"]', "40/other,", "40[]", "401", "40",
    "43", "43[]", "43{}", "430", "43/x,1[]", '451-["client_message",{"_placeholder":true,"num":9}]',
    '459999999999-["stop"]', '42["stop"' + ",[]" * 5_000 + "]",
    "4" + "[" * 50_000, "42" + "[" * 50_000, "42" + '{"a":' * 900 + "1" + "}" * 900,
    "42" + "9" * 5_000,
    b"", b"junk", b"\x04",
]  # fmt: skip
HARMLESS = [
    '42["no_such_event"]',
    '42["client_message"]',
    '42["stop",1,2,3]',
    '42["client_message",' + "[" * 900 + "]" * 900 + "]",
    '4299999999999999999999["stop"]',
    '431["x"]',
    "3",
]


@pytest_asyncio.fixture(name="chat", scope="module", loop_scope="module")
async def chat_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("chat")
    async with Server(folder, XNAI_API_KEYS=",".join(KEYS)) as server:
        yield server
        await tidy_up()


def headers_of(client: httpx.AsyncClient) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)}


async def raw(chat: Server, headers: dict[str, str]) -> ClientConnection:
    """A socket as Engine.IO begins it."""
    url = f"ws://127.0.0.1:{chat.port}/ws/socket.io/?EIO=4&transport=websocket"
    opened = await connect(url, additional_headers=headers, max_size=None)
    assert str(await opened.recv()).startswith("0")
    return opened


async def session(chat: Server, headers: dict[str, str]) -> ClientConnection:
    """One with a session."""
    opened = await raw(chat, headers)
    auth = {"sessionId": str(uuid.uuid4()), "clientType": "webapp", "threadId": ""}
    await opened.send("40" + json.dumps(auth))
    assert str(await opened.recv()).startswith("40")
    return opened


async def is_closed(opened: ClientConnection) -> bool:
    """Whether the server ends it, rather than go on answering its pings."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while True:
                await opened.recv()
    return True


def log_of(chat: Server) -> str:
    return chat.log


@in_module
async def test_no_frame_of_a_signed_in_page_makes_a_traceback_or_another_session(chat):
    client = await chat.client(FIRST_KEY)
    for frame in FRAMES:
        opened = await session(chat, headers_of(client))
        with suppress(ConnectionClosed):
            await opened.send(frame)
        assert await is_closed(opened), frame[:40]
    tab = await Tab(chat, client).open()
    await tab.ask("Still there?")
    assert "Traceback" not in log_of(chat)
    assert "never retrieved" not in log_of(chat)
    await tab.close()


@in_module
async def test_frames_that_ask_for_nothing_do_no_harm(chat):
    client = await chat.client(FIRST_KEY)
    opened = await session(chat, headers_of(client))
    for frame in HARMLESS:
        await opened.send(frame)
    tab = await Tab(chat, client).open()
    await tab.ask("Still there?")
    await opened.close()
    assert "Traceback" not in log_of(chat)
    await tab.close()


@in_module
async def test_no_frame_of_a_stranger_makes_a_traceback(chat):
    for frame in [*FRAMES, *HARMLESS[:3], "40" + json.dumps({"a": "x" * 50_000})]:
        opened = await raw(chat, {})
        with suppress(ConnectionClosed):
            await opened.send(frame)
        if frame not in {"40", "401"}:  # these are refused in words
            assert await is_closed(opened), frame[:40]
        await opened.close()
    assert "Traceback" not in log_of(chat)


@in_module
async def test_junk_that_is_posted_to_the_socket_ends_it_without_a_traceback(chat):
    http_client = chat.stranger(timeout=10)
    address = "/ws/socket.io/?EIO=4&transport=polling"
    for frame in FRAMES:
        begun = await http_client.get(address)
        sid = json.loads(begun.text[1:])["sid"]
        body = frame if isinstance(frame, bytes) else frame.encode()
        for content in (body, b"\x1e".join([body] * 20), b"d=" + body, b"\xff\xfe"):
            answer = await http_client.post(f"{address}&sid={sid}", content=content)
            assert answer.status_code < 500, (frame[:40], answer.text)
    assert "Traceback" not in log_of(chat)


@in_module
async def test_sockets_without_a_session_make_room_for_each_other(chat):
    many = [await raw(chat, {}) for _ in range(socket_frames.MOST_UNCONNECTED + 10)]
    for opened in many[:5]:
        assert await is_closed(opened)
    tab = await Tab(chat, await chat.client(FIRST_KEY)).open()
    await tab.ask("Still there?")
    await tab.close()
    for opened in many:
        await opened.close()


@in_module
async def test_the_pages_of_one_person_leave_room_for_those_of_another(chat):
    first, second = await chat.client(FIRST_KEY), await chat.client(SECOND_KEY)
    tabs = [await Tab(chat, first).open() for _ in range(8)]
    refused = await refusal(chat, first)
    assert refused["data"]["code"] == "too_many_sessions"
    tabs.append(await Tab(chat, second).open())
    await tabs[-1].ask("Is there room?")
    for tab in tabs:
        await tab.close()


def test_who_is_alone_has_half_and_a_newcomer_always_finds_something():
    shares = Shares(512)

    def take_all(person: str) -> int:
        while shares.admits(person):
            shares.take(person)
        return shares.held(person)

    assert [take_all(person) for person in "abcdefgh"] == [256, 128, 64, 32, 16, 8, 4, 2]
    assert shares.admits("i")
    assert not shares.admits("b", "i")
    with pytest.raises(NoShareError), shares.share("b"):
        pass
    with shares.share("i"):
        assert shares.held("i") == 1
    assert shares.held("i") == 0


async def test_questions_of_one_person_leave_room_in_the_queue():
    admission = Admission(4, Rates())
    admission.join("a", Work())
    for _ in range(4):
        admission.join("a", Work())
    with pytest.raises(XnaiError, match="already wait for the model"):
        admission.join("a", Work())
    other = admission.join("b", Work())
    assert admission.place(other).position == 1


async def test_answers_of_one_person_leave_room_for_anothers():
    streams = Streams(most=8)
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(streams.run(Stream("api", "a", str(number))))
        with pytest.raises(XnaiError) as caught:
            stack.enter_context(streams.run(Stream("api", "a", "5")))
        stack.enter_context(streams.run(Stream("api", "b", "6")))
    assert caught.value.code == "too_many_requests"
    assert streams.active == 0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    monkeypatch.setattr(clients, "MOST", 4)
    return asyncio.Event()


async def test_behind_a_trusted_proxy_requests_are_counted_by_the_clients_address(tmp_path, held):
    runtime = program(tmp_path, trusted_proxies="127.0.0.1")
    app = _waiting(held)
    async with serving(runtime, app) as url, httpx.AsyncClient(base_url=url) as proxy:
        greedy = [
            asyncio.create_task(proxy.get("/wait", headers={"X-Forwarded-For": "192.0.2.1"}))
            for _ in range(2)
        ]
        await app.state.both.wait()
        third = await proxy.get("/who", headers={"X-Forwarded-For": "192.0.2.1"})
        forged = await proxy.get("/who", headers={"X-Forwarded-For": "192.0.2.2, 192.0.2.1"})
        other = await proxy.get("/who", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"})
        held.set()
        done = await asyncio.gather(*greedy)
    assert [answer.status_code for answer in done] == [200, 200]
    assert [third.status_code, forged.status_code] == [429, 429]
    assert third.json()["error"]["code"] == "too_many_requests"
    assert other.text == "192.0.2.2"


async def test_without_a_trusted_proxy_nobody_can_say_who_they_are(tmp_path, held):
    app = _waiting(held)
    async with serving(program(tmp_path), app) as url, httpx.AsyncClient(base_url=url) as client:
        said = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        assert (await client.get("/who", headers=said)).text == "127.0.0.1"


def _waiting(event: asyncio.Event) -> object:
    from fastapi import FastAPI  # noqa: PLC0415

    app = FastAPI()
    app.state.waiting, app.state.both = 0, asyncio.Event()

    @app.get("/wait")
    async def wait() -> str:
        app.state.waiting += 1
        if app.state.waiting == 2:
            app.state.both.set()
        await event.wait()
        return "done"

    @app.get("/who")
    async def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.client.host)

    return app


@pytest.mark.needs("resource_limits")
def test_the_soft_limit_of_files_is_raised_but_never_lowered():
    import resource  # noqa: PLC0415

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert connections.raise_file_limit() > 0
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert raised == min(connections.FILES_WANTED, before[1])
        connections.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
