import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import websockets
from api_server import MEGABYTE, client, page, program, serving

REBINDING = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "[::1].evil.example",
    "192.168.1.7",
    "127.0.0.1:8000, evil.example",
    "",
]
OURS = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST:1",
    "localhost.",
    "127.1.2.3:9",
    "[::1]:8000",
    "docs.lan",
]


@pytest.mark.parametrize("host", REBINDING)
@pytest.mark.parametrize("path", ["/", "/v1/models", "/health/live", "/public/x"])
async def test_a_foreign_host_name_is_misdirected(tmp_path, host, path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get(path, headers={"Host": host})
    assert (response.status_code, response.json()["error"]["code"]) == (421, "host_not_allowed")


@pytest.mark.parametrize("host", OURS)
async def test_loopback_and_allowed_names_are_answered_on_any_port(tmp_path, host):
    runtime = program(tmp_path, allowed_hosts="docs.lan, other.lan")
    async with serving(runtime) as url, client(url) as http:
        response = await http.get("/", headers={"Host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8000", "Host": "localhost:8000"}, 200),
        ({"Origin": "https://docs.lan"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:3000", "Host": "localhost:8000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "file://"}, 403),
        ({"Origin": "chrome-extension://localhost"}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
async def test_a_page_of_another_origin_may_not_change_anything(tmp_path, headers, status):
    runtime = program(tmp_path, allowed_hosts="docs.lan")
    async with serving(runtime) as url, client(url) as http:
        response = await http.post("/project/action", headers=headers, content=b"{}")
    assert status == response.status_code
    if status == 403:
        assert response.json()["error"]["code"] == "origin_not_allowed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
    ],
)
async def test_a_foreign_websocket_is_refused_before_the_application_sees_it(
    tmp_path, headers, status
):
    async with serving(program(tmp_path)) as url:
        status_line = await handshake(url, headers)
    assert str(status) == status_line.split()[1]


async def handshake(url, headers):
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = {
        "Host": f"{host}:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode())
    status_line = await reader.readline()
    writer.transport.abort()
    return status_line.decode()


async def test_our_own_websocket_works_and_carries_a_request_id(tmp_path):
    async with serving(program(tmp_path)) as url:
        address = url.replace("http", "ws") + "/ws"
        async with websockets.connect(address, origin=url) as socket:
            assert len(socket.response.headers["X-Request-ID"]) == 32
            await socket.send("hello")
            assert await socket.recv() == "hello"


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/none", "/health", "/broken", "/public/x"])
async def test_every_response_has_a_request_id_and_the_security_headers(tmp_path, path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        headers = (await http.get(path)).headers
    assert len(headers["X-Request-ID"]) == 32
    assert tuple(
        headers[name]
        for name in (
            "X-Content-Type-Options",
            "X-Frame-Options",
            "Referrer-Policy",
            "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy",
        )
    ) == ("nosniff", "DENY", "no-referrer", "same-origin", "same-origin")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_the_page_may_connect_to_its_own_server_only(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        policy = (await http.get("/")).headers["Content-Security-Policy"]
    host = url.removeprefix("http://")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert f"'self' ws://{host} wss://{host}" == directives["connect-src"]
    assert directives["object-src"] == "'none'"


@pytest.mark.parametrize("sane", ["abc", "A.b_c-9", "x" * 64])
async def test_a_sane_request_id_of_the_client_is_kept(tmp_path, sane):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get("/v1/none", headers={"X-Request-ID": sane})
    assert (sane, sane) == (
        response.headers["X-Request-ID"],
        response.json()["error"]["request_id"],
    )


HOSTILE_IDS = ["", "x" * 65, "a b", "<script>", 'a"b', "a\tb", "\xe9"]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
async def test_a_hostile_request_id_is_replaced(tmp_path, hostile):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get("/", headers={"X-Request-ID": hostile.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


async def test_an_unforeseen_error_of_the_page_tells_nothing_but_its_request_id(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get("/broken")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "internal")
    assert response.headers["X-Request-ID"] == error["request_id"]
    assert "secret detail" not in response.text


@pytest.mark.parametrize("path", ["/project/action", "/v1/chat/completions"])
@pytest.mark.parametrize("declared", [True, False])
async def test_bodies_are_limited_while_they_arrive(tmp_path, path, declared):
    async def packets() -> AsyncIterator[bytes]:
        for _ in range(11 * 16):
            yield b"x" * 65536

    content = b"x" * 11 * MEGABYTE if declared else packets()
    async with serving(program(tmp_path)) as url, client(url) as http:
        small = await http.post("/project/action", content=b"x" * (MEGABYTE // 5))
        large = await http.post(path, content=content)
    assert small.status_code == 200
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("declared", [True, False])
async def test_an_upload_of_the_page_is_stopped_at_the_limit(tmp_path, declared):
    boundary = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    async def packets() -> AsyncIterator[bytes]:
        yield boundary
        for _ in range(64):
            yield b"x" * 65536

    content = boundary + b"x" * 4 * MEGABYTE if declared else packets()
    kind = {"Content-Type": "multipart/form-data; boundary=X"}
    async with serving(program(tmp_path)) as url, client(url) as http:
        small = await http.post("/project/file", files={"file": ("a", b"x" * MEGABYTE)})
        large = await http.post("/project/file", headers=kind, content=content)
    assert small.status_code == 200
    assert (large.status_code, large.json()["error"]["code"]) == (413, "file_too_large")


@pytest.mark.parametrize(
    ("media_type", "disposition", "policy"),
    [
        ("text/html", "attachment", "sandbox"),
        ("image/svg+xml", "attachment", "sandbox"),
        ("text/html; charset=utf-8", "attachment", "sandbox"),
        ("application/xhtml+xml", "attachment", "sandbox"),
        ("image/png", None, "sandbox"),
        ("application/pdf", None, "frame-ancestors 'self'"),
    ],
)
async def test_an_upload_is_never_shown_as_a_page(tmp_path, media_type, disposition, policy):
    app = page({"x": (b"<script>alert(1)</script>", media_type)})
    async with serving(program(tmp_path), app) as url, client(url) as http:
        headers = (await http.get("/project/file/x?session_id=1")).headers
    assert disposition == headers.get("Content-Disposition")
    assert policy in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/docs/oauth2-redirect", "/v1", "/v1/", "/metrics/x"],
)
async def test_paths_of_the_interface_that_do_not_exist_are_404_in_its_format(tmp_path, path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert path in response.json()["error"]["message"]


async def test_a_method_that_is_not_possible_names_those_that_are(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.get("/v1/chat/completions")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.json()["error"]["code"] == "method_not_allowed"


async def test_everything_else_still_belongs_to_the_page(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        pages = [await http.get(path) for path in ("/", "/v10", "/healthy", "/thread/1")]
    assert [response.text for response in pages] == [
        "<p>page ",
        "<p>page v10",
        "<p>page healthy",
        "<p>page thread/1",
    ]
