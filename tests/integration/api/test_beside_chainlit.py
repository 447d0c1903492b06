"""The interface in Chainlit's own application, served by a process of its own."""

import signal
import sys
from collections.abc import Iterator

import httpx
import pytest
from paths import ROOT, SUPPORT

from rig.processes import LocalServer

SERVE = """
import sys
from pathlib import Path
import uvicorn
from chainlit.server import app
from api_server import program
from xnai.api import install
install(app, program(Path.cwd()))
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False)
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("chainlit")
    server = LocalServer(folder)
    environment = {"PYTHONPATH": f"{SUPPORT}:{ROOT}", "TRACELOOP_TELEMETRY": "false"}
    server.launch([sys.executable, "-c", SERVE, str(server.port)], environment)
    try:
        server.until_it_answers("/health/live")
        with httpx.Client(base_url=server.url, verify=False) as http:
            yield http
    finally:
        server.stop(signal.SIGKILL)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/v1/models"])
def test_our_routes_come_before_chainlits_catch_all(beside, path):
    response = beside.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() != {"status": "Ok"}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/v1/none"])
def test_chainlits_own_documentation_is_not_exposed(beside, path):
    response = beside.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_what_is_described_is_our_interface_and_not_chainlits(beside):
    described = beside.get("/openapi.json").json()
    assert described["info"]["title"] == "XNAi"
    assert not {path for path in described["paths"] if path.startswith(("/project", "/ws"))}


@pytest.mark.parametrize("path", ["/", "/thread/1", "/favicon", "/public/none", "/user"])
def test_chainlits_responses_carry_request_id_and_security_headers(beside, path):
    response = beside.get(path, headers={"X-Request-ID": "mine-1"})
    assert response.headers["X-Request-ID"] == "mine-1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_the_page_is_served_and_may_run_its_scripts(beside):
    response = beside.get("/")
    assert "<!doctype html>" in response.text.lower()
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline';" in policy
    assert "unsafe-eval" not in policy


def test_a_large_upload_is_refused_before_chainlit_reads_it(beside):
    files = {"file": ("big.txt", b"x" * 3 * 1024 * 1024)}
    response = beside.post("/project/file?session_id=x", files=files)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "file_too_large")


def test_a_rebound_name_reaches_neither_page_nor_socket(beside):
    for path in ("/", "/ws/socket.io/?EIO=4&transport=polling", "/project/settings"):
        assert beside.get(path, headers={"Host": "evil.example"}).status_code == 421


def test_a_foreign_page_can_neither_post_nor_open_a_polling_socket(beside):
    foreign = {"Origin": "http://evil.example"}
    answers = [
        beside.post("/project/action", headers=foreign, json={}),
        beside.get("/ws/socket.io/?EIO=4&transport=polling", headers=foreign),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]


def test_an_answer_streams_uncompressed_through_chainlits_middleware(beside):
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    response = beside.post("/v1/chat/completions", json=body)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert "Content-Encoding" not in response.headers
    assert response.text.endswith("data: [DONE]\n\n")
