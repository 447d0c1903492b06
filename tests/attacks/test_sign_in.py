"""Keys, log-out, cookies and TLS, on whole servers.

Wrong keys are paused and noted for page and API together; the right key always passes; nobody's
word about an address is taken but a named proxy's; a copied cookie ends with its session.
"""
# ruff: noqa: ASYNC210, ASYNC212 - nothing else waits for the loops of these tests

import asyncio
import datetime as dt
import http.cookies
import ipaddress
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paths import ROOT
from ui_client import Tab, tidy_up

from rig.waiting import eventually
from rig.whole_server import Server
from xnai.client import Client, trusted
from xnai.errors import XnaiError
from xnai.settings import Settings
from xnai.settings.certificate import require_usable, time_problem
from xnai.ui.cookies import name_of

KEY, OTHER = "first-key-of-the-tests", "second-key-of-the-tests"
LIGHT = {"XNAI_LLM_URL": "http://127.0.0.1:9"}  # no model is needed, and none is compiled
KEYED = {**LIGHT, "XNAI_API_KEYS": f"{KEY},{OTHER}"}


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    running: list[Server] = []

    def start(**settings: str) -> Server:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Server(folder, {**KEYED, **settings}))
        running[-1].start()
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def server(started: Any) -> Server:
    running = started()
    running.wait(status="ready")
    return running


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


def sign_in(server: Server, key: str, **headers: str) -> httpx.Response:
    form = {"username": "x", "password": key}
    return httpx.post(f"{server.url}/login", data=form, headers=headers)


def cookie_of(answer: httpx.Response) -> tuple[str, Any]:
    kept = http.cookies.SimpleCookie(answer.headers["set-cookie"])
    ((name, cookie),) = kept.items()
    return name, cookie


def audited(server: Server) -> list[dict[str, Any]]:
    path = server.folder / "data" / "audit.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if line["action"] == "sign_in"]


async def test_wrong_keys_are_paused_and_noted_for_page_and_api_and_the_right_one_passes(server):
    def strangers(number: int) -> int:
        # Every one says that it comes from elsewhere: it does not help.
        forwarded = {"X-Forwarded-For": f"198.51.100.{number % 250}"}
        key = f"wrong-key-number-{number:04}"
        if number % 2:
            return sign_in(server, key, **forwarded).status_code
        answer = httpx.get(f"{server.url}/v1/models", headers=bearer(key, **forwarded))
        return answer.status_code

    statuses = [strangers(number) for number in range(60)]
    paused = httpx.get(f"{server.url}/v1/models", headers=bearer("wrong-key-of-the-tests"))
    right = [
        httpx.get(f"{server.url}/v1/models", headers=bearer(OTHER)).status_code,
        sign_in(server, KEY).status_code,
    ]
    await eventually(lambda: len(audited(server)) >= 11, "the lines")
    assert statuses == [401] * 10 + [429] * 50
    assert paused.json()["error"]["code"] == "sign_in_paused"
    assert 0 < int(paused.headers["Retry-After"]) <= 60
    assert right == [200, 200]
    assert [line["outcome"] for line in audited(server)] == ["refused"] * 10 + ["paused"]
    assert {line["address"] for line in audited(server)} == {"127.0.0.1"}
    assert server.log.count("a wrong key was given") == 10
    assert "wrong-key-number" not in server.log


async def test_no_key_at_all_is_no_attempt(server):
    for _ in range(15):
        assert httpx.get(f"{server.url}/v1/models").status_code == 401
    assert audited(server) == []


async def test_a_named_proxy_is_believed_about_addresses_and_tls(started):
    server = started(XNAI_TRUSTED_PROXIES="127.0.0.1")
    await asyncio.to_thread(server.wait, status="ready")

    def ask(address: str) -> int:
        headers = bearer("wrong-key-of-the-tests", **{"X-Forwarded-For": address})
        return httpx.get(f"{server.url}/v1/models", headers=headers).status_code

    statuses = [ask("203.0.113.9, 198.51.100.7") for _ in range(11)]
    assert (statuses[-2:], ask("198.51.100.8")) == ([401, 429], 401)
    _, plain = cookie_of(sign_in(server, KEY))
    _, secure = cookie_of(sign_in(server, KEY, **{"X-Forwarded-Proto": "https"}))
    assert (plain["secure"], secure["secure"]) == ("", True)


async def test_a_stranger_is_not_believed_about_tls(server):
    _, cookie = cookie_of(sign_in(server, KEY, **{"X-Forwarded-Proto": "https"}))
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "lax")


async def test_a_copied_cookie_ends_with_its_session_and_no_other_does(server):
    name, cookie = cookie_of(sign_in(server, KEY))
    _, second = cookie_of(sign_in(server, KEY))
    copied, other = (f"{name}={one.value}" for one in (cookie, second))

    async with httpx.AsyncClient(base_url=server.url) as client:
        client.cookies.set(name, cookie.value)
        tab = await Tab(server, client).open()
        await tab.wait("chat_settings")

        async def seen(value: str) -> int:
            async with httpx.AsyncClient(base_url=server.url) as bare:
                return (await bare.get("/user", headers={"Cookie": value})).status_code

        before = [await seen(copied), await seen(other)]
        out = await client.post("/logout")
        await eventually(lambda: not tab.socket.connected, "the socket's end")
        after = [await seen(copied), await seen(other)]
        page = await client.get("/v1/files/x/content", headers={"Cookie": copied})
        with pytest.raises(Exception, match=r"refused|One or more|401|Connection"):
            await Tab(server, client).open(headers={"Cookie": copied})
    assert (before, out.status_code, after) == ([200, 200], 200, [401, 200])
    assert page.status_code == 401
    assert cookie_of(out)[1]["max-age"] == "0"


async def test_a_log_out_outlives_a_kill(server):
    name, cookie = cookie_of(sign_in(server, KEY))
    _, kept = cookie_of(sign_in(server, KEY))
    copied = {"Cookie": f"{name}={cookie.value}"}
    httpx.post(f"{server.url}/logout", headers=copied)
    server.process.kill()
    server.process.wait()
    server.start()
    await asyncio.to_thread(server.wait, status="ready")
    assert httpx.get(f"{server.url}/user", headers=copied).status_code == 401
    mine = {"Cookie": f"{name}={kept.value}"}
    assert httpx.get(f"{server.url}/user", headers=mine).status_code == 200


async def test_two_servers_of_one_machine_do_not_touch_each_others_cookies(server, started):
    other = started()
    await asyncio.to_thread(other.wait, status="ready")
    with httpx.Client() as browser:  # its cookies are the host's, whatever the port
        for one in (server, other):
            form = {"username": "x", "password": KEY}
            browser.post(f"{one.url}/login", data=form).raise_for_status()
        assert len(browser.cookies) == 2
        assert [browser.get(f"{one.url}/user").status_code for one in (server, other)] == [200] * 2
        browser.post(f"{other.url}/logout")
        statuses = [browser.get(f"{one.url}/user").status_code for one in (server, other)]
    assert statuses == [200, 401]
    assert name_of(f"127.0.0.1:{server.port}", secure=False) == f"xnai_session_{server.port}"


def certificate(
    folder: Path, name: str = "docs.example.org", days: tuple[float, float] = (-1, 30)
) -> tuple[str, str]:
    """A certificate of its own making, valid from one day to another, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert_file), str(key_file)


def with_passphrase(key: str) -> bytes:
    read = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    return read.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a passphrase"),
    )


@pytest.mark.parametrize(
    ("fault", "named", "said"),
    [
        ("no certificate file", "CERT", "the file cannot be read: No such file or directory"),
        ("no key file", "KEY", "the file cannot be read: No such file or directory"),
        ("a folder for a key", "KEY", "the file cannot be read: Is a directory"),
        ("somebody else's key", "KEY", "it is the key of another certificate than "),
        ("a key with a passphrase", "KEY", "write the key without one: openssl pkey -in "),
        ("exchanged files", "CERT", "it holds no certificate (PEM"),
        ("another form", "CERT", "make it so: openssl x509 -inform DER -in "),
        ("an empty key", "KEY", "it holds no private key (PEM"),
        ("cut off", "CERT", "OpenSSL cannot use it ("),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_of_the_file_that_it_is_wrong_with(
    tmp_path, fault, named, said
):
    cert, key = certificate(tmp_path)
    other = tmp_path / "other"
    match fault:
        case "no certificate file":
            cert = str(other)
        case "no key file":
            key = str(other)
        case "a folder for a key":
            key = str(tmp_path)
        case "somebody else's key":
            _, key = certificate(tmp_path, "other.example.org")
        case "a key with a passphrase":
            Path(key).write_bytes(with_passphrase(key))
        case "exchanged files":
            cert, key = key, cert
        case "another form":
            Path(cert).write_bytes(ssl.PEM_cert_to_DER_cert(Path(cert).read_text()))
        case "an empty key":
            Path(key).write_bytes(b"")
        case "cut off":
            Path(cert).write_bytes(Path(cert).read_bytes()[:200])
    with pytest.raises(XnaiError) as refused:
        require_usable(cert, key)
    value = {"CERT": cert, "KEY": key}[named]
    assert refused.value.message.startswith(f"XNAI_TLS_{named}={value!r} is not valid: ")
    assert said in refused.value.message
    assert "_ssl.c" not in refused.value.message


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((-9, -1), " expired on "),
        ((1, 30), " is not valid before "),
        ((-1, 3), " expires on "),
        ((-1, 30), ""),
    ],
)
async def test_a_certificate_that_is_out_of_date_is_told_and_served_all_the_same(
    tmp_path, days, said
):
    cert, key = certificate(tmp_path, days=days)
    require_usable(cert, key)
    told = time_problem(cert, key)
    assert said in told
    assert bool(said) == bool(told)
    # The commands of the same machine go on: it is the very certificate that they know.
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving
    )
    async with server:
        host, port = server.sockets[0].getsockname()
        known = trusted(Settings(_env_file=None, tls_cert=cert, tls_key=key))
        _, writer = await asyncio.open_connection(host, port, ssl=known)
        writer.close()


async def test_over_tls_cookies_are_secure_and_the_commands_know_their_server(started, tmp_path):
    cert, key = certificate(tmp_path)
    server = started(XNAI_TLS_CERT=cert, XNAI_TLS_KEY=key)
    address = server.url.replace("http:", "https:")
    async with httpx.AsyncClient(base_url=address, verify=False) as client:

        async def is_up() -> bool:
            try:
                return (await client.get("/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(is_up, "the server")
        signed = await client.post("/login", data={"username": "x", "password": KEY})
        seen = await client.get("/user")
    given = {"data_dir": tmp_path, "port": server.port, "api_keys": KEY, "tls_cert": cert}
    settings = Settings(_env_file=None, tls_key=key, **given)
    breakers = await asyncio.to_thread(Client(settings).breakers)
    name, cookie = cookie_of(signed)
    assert (name, cookie["secure"], seen.status_code) == (f"xnai_session_{server.port}", True, 200)
    assert breakers
    # Another certificate is somebody else's server.
    other, _ = certificate(tmp_path, "other.example.org")
    with pytest.raises(Exception, match="No server answers"):
        await asyncio.to_thread(
            Client(Settings(_env_file=None, tls_key=key, **{**given, "tls_cert": other})).breakers
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"XNAI_API_KEYS": "a"}, ("XNAI_API_KEYS", "16 characters")),
        ({"XNAI_API_KEYS": f"{KEY},short-key"}, ("XNAI_API_KEYS", "16 characters")),
        ({"XNAI_TLS_CERT": "cert.pem"}, ("XNAI_TLS_KEY", "XNAI_TLS_CERT")),
        ({"XNAI_TLS_KEY": "key.pem"}, ("XNAI_TLS_CERT", "XNAI_TLS_KEY")),
        (
            {"XNAI_TLS_CERT": "nowhere.pem", "XNAI_TLS_KEY": "nowhere.key"},
            ("XNAI_TLS_CERT='nowhere.pem' is not valid: the file cannot be read", "No such file"),
        ),
    ],
)
def test_what_cannot_be_safe_is_refused_at_the_start(tmp_path, settings, said):
    done = subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", "serve"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **LIGHT, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {1, 2}
    assert [word for word in said if word not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr
    assert "short-key" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, True),
        ({"trusted_proxies": "10.0.0.1"}, False),
        ({"tls_cert": "c", "tls_key": "k"}, False),
        ({"host": "127.0.0.1"}, False),
        ({"api_keys": ""}, False),
    ],
)
def test_keys_that_travel_in_clear_are_told(changes, warned):
    given = {"host": "0.0.0.0", "api_keys": KEY, **changes}
    assert Settings(_env_file=None, **given).sends_keys_in_clear is warned
