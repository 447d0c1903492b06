"""A stopped Redis, worker or reader of a locked file holds up neither /health/live nor ready."""

import contextlib
import shutil
import signal
import time

import apsw
import httpx
import psutil
import pytest

from rig.redis_server import RedisServer, binaries
from rig.waiting import wait_until
from xnai.errors import CATALOGUE

pytestmark = pytest.mark.engine

ATTEMPTS = 20
QUICK = 0.2  # seconds; no wait for another part is that short


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    running = RedisServer(binaries()["valkey"], tmp_path_factory.mktemp("redis")).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def watched(server, redis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, folder / "data" / name)
    environment = {"XNAI_REDIS_URL": redis.url, "XNAI_LLM_URL": "http://127.0.0.1:9"}
    running = type(server)(folder, {**environment, "XNAI_LLM_FALLBACK": "true"})
    running.start()
    until(running, "redis", "ready")
    until(running, "embedder", "ready")
    yield running
    running.stop()


def until(server, name, *states: str, waiting: bool = False):
    """The part once it is in one of the states, and between two attempts if it is to be."""
    part = {}

    def is_there() -> bool:
        nonlocal part
        with contextlib.suppress(httpx.HTTPError):
            part = server.health()["dependencies"].get(name, {})
        there = not waiting or part.get("next_attempt_seconds") is not None
        return part.get("state") in states and there

    wait_until(is_there, lambda: f"{name} is {states}: {part}\n{server.log[-3000:]}", 90)
    return part


def quickest(server, path):
    """Seconds of the quickest answer: a wait of the server itself would be in each of them."""
    took = []
    with httpx.Client(base_url=server.url, timeout=10) as http:
        for _ in range(ATTEMPTS):
            began = time.perf_counter()
            assert http.get(path).status_code in {200, 503}
            took.append(time.perf_counter() - began)
    return min(took)


def worker_of(server):
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "xnai.llm.worker.main" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the model's worker does not run")


def assert_quick(server):
    assert quickest(server, "/health/ready") < QUICK
    assert quickest(server, "/health/live") < QUICK


def test_every_dependency_is_told_with_its_state_since_when_and_its_breaker(watched):
    until(watched, "history", "ready")
    health = watched.health()
    parts = health["dependencies"]
    assert set(parts) == {
        *("search", "model", "disk", "parser", "history", "documents"),
        *("index", "index_writes", "embedder"),
        *("endpoint:127.0.0.1:9", "redis"),
    }
    for part in parts.values():
        assert {"state", "since", "last_error", "breaker", "next_attempt_seconds"} <= set(part)
        assert abs(time.time() - part["since"]) < 600
        assert part["last_error"] is None or part["last_error"]["code"] in CATALOGUE
    assert "closed" == parts["index"]["breaker"] == parts["embedder"]["breaker"]
    endpoint = until(watched, "endpoint:127.0.0.1:9", "down", waiting=True)
    assert "remote_unreachable" == endpoint["last_error"]["code"]


def test_live_tells_how_late_the_loop_was(watched):
    body = httpx.get(f"{watched.url}/health/live").json()
    assert "ok" == body["status"]
    assert 0 <= body["loop_lag_seconds"] <= body["loop_lag_longest_seconds"] < 10


def test_a_stopped_redis_is_told_and_holds_nothing_up(watched, redis):
    redis.signal(signal.SIGSTOP)
    try:
        assert_quick(watched)
        part = until(watched, "redis", "down")
        assert_quick(watched)
    finally:
        redis.signal(signal.SIGCONT)
    assert ("redis_away", "open") == (part["error_code"], part["breaker"])
    assert part["next_attempt_seconds"] >= 0
    back = until(watched, "redis", "ready")
    assert back["error_code"] is None
    assert back["last_error"]["at"] >= part["last_error"]["at"] > part["since"] - 60


def test_a_stopped_worker_holds_nothing_up_and_is_replaced(watched):
    watched.wait(generation=True)
    worker = worker_of(watched)
    worker.suspend()
    assert_quick(watched)
    deadline = time.monotonic() + 60
    while worker.is_running() and time.monotonic() < deadline:
        assert quickest(watched, "/health/ready") < QUICK
    watched.wait(generation=True)


def test_a_locked_index_can_be_searched_and_is_told(watched):
    with locked(watched.folder / "data" / "index.sqlite3"):
        part = until(watched, "index_writes", "down")
        assert_quick(watched)
        health = watched.health()
        assert ("ready", "ready") == (health["status"], health["dependencies"]["index"]["state"])
        assert part["error_code"] in {"part_silent", "search_down"}
    until(watched, "index_writes", "ready")


def test_a_locked_history_is_told(watched):
    with locked(watched.folder / "data" / "history.sqlite3"):
        part = until(watched, "history", "down")
        assert_quick(watched)
    assert part["error_code"] in {"part_silent", "history_down"}
    until(watched, "history", "ready")


@contextlib.contextmanager
def locked(path):
    """Hold the turn to write, as another program may."""
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()
