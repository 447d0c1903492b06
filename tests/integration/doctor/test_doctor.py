"""`xnai doctor` as it is typed, on folders, ports and servers that are well and that are not."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import apsw
import pytest
from paths import ROOT

from rig.processes import free_port
from rig.redis_server import RedisServer, binaries
from xnai.doctor import engine
from xnai.doctor.examination import run
from xnai.doctor.finding import CheckSubject, Finding, ok
from xnai.llm.gguf.catalogue import bundled_path
from xnai.retrieval.index.sqlite.schema import MIGRATIONS
from xnai.settings import Settings

WITHOUT_ENGINE = (
    "import sys; sys.modules['llama_cpp'] = None; sys.argv = ['xnai', 'doctor', '--json'];"
    "from xnai.cli.main import main; main()"
)
LIMIT = 40  # seconds for a whole run on a busy machine


def start(folder, arguments=("-m", "xnai.cli.main", "doctor", "--json"), **environment: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    given = {"XNAI_PORT": str(free_port()), "XNAI_DATA_DIR": str(folder / "data"), **environment}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, "PYTHONPATH": str(ROOT), **given},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def doctor(folder, **environment: str):
    """The exit code, and the findings by area."""
    done = start(folder, **environment)
    return done.returncode, by_area(done)


def by_area(done):
    assert "Traceback" not in done.stderr
    areas = {}
    for finding in json.loads(done.stdout)["findings"]:
        areas.setdefault(finding["area"], []).append(finding)
    return areas


def worst(findings):
    order = ["ok", "warning", "problem"]
    return max(findings, key=lambda finding: order.index(finding["level"]))


def test_a_machine_before_the_first_start_is_fine_and_nothing_is_made(tmp_path):
    code, areas = doctor(tmp_path)
    assert 0 == code
    assert {"ok"} == {worst(areas[name])["level"] for name in ("settings", "model", "embedding")}
    assert "no server runs there" in areas["port"][0]["text"]
    assert [] == list(tmp_path.iterdir())


@pytest.mark.engine
def test_the_engine_tells_what_it_was_built_with(tmp_path):
    _, areas = doctor(tmp_path)
    assert "llama-cpp-python" in areas["engine"][0]["text"]
    assert "built for" in areas["engine"][0]["text"]
    assert "its self-test passed" in areas["engine"][0]["text"]


@pytest.mark.engine
def test_an_engine_that_is_late_on_a_busy_machine_is_no_problem_and_is_not_deleted(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(engine, "_LOAD_SECONDS", 0.01)
    settings = Settings(_env_file=None, data_dir=tmp_path / "data")
    (finding,) = engine.check_engine(CheckSubject(settings))

    assert "warning" == finding.level
    assert "built for" in finding.text
    assert "it did not load within" in finding.text
    assert "rm" not in finding.command.split()


def test_it_works_before_the_engine_is_built_and_says_how_to_build_it(tmp_path):
    done = start(tmp_path, ("-c", WITHOUT_ENGINE))
    finding = by_area(done)["engine"][0]
    assert ("warning", 0) == (finding["level"], done.returncode)
    assert "xnai.llm.build" in finding["command"]


def test_every_finding_that_is_not_fine_names_the_next_command_in_print_too(tmp_path):
    (tmp_path / ".env").write_text("XNAI_CONTEXT=many\n")
    done = start(tmp_path, ("-m", "xnai.cli.main", "doctor"))
    lines = done.stdout.splitlines()
    failed = next(number for number, line in enumerate(lines) if line.startswith("FAIL"))
    assert "XNAI_CONTEXT" in lines[failed]
    assert lines[failed + 1].strip().startswith("next: ")
    assert 1 == done.returncode
    assert "cannot run" in lines[-1]


def test_a_broken_env_is_told_value_by_value_and_everything_else_is_still_checked(tmp_path):
    (tmp_path / ".env").write_text(
        "XNAI_SLOTS=lots\nXNAI_TEMPERATURE=9\nXNAI_PROT=1\nXNAI_API_KEYS=secret-key-of-tests\n"
    )
    (tmp_path / ".env").chmod(0o644)
    code, areas = doctor(tmp_path)
    problems = [f["text"] for f in areas["settings"] if f["level"] == "problem"]
    warnings = {f["text"]: f["command"] for f in areas["settings"] if f["level"] == "warning"}
    assert 1 == code
    assert {"XNAI_SLOTS", "XNAI_TEMPERATURE"} == {text.split("=")[0] for text in problems}
    assert 2 == len(problems)
    assert any("Did you mean XNAI_PORT?" in text for text in warnings)
    assert "chmod 600 .env" in warnings.values()
    assert "secret-key" not in str(areas)
    assert "ok" == areas["embedding"][0]["level"]


def test_an_env_that_is_no_text_is_told(tmp_path):
    (tmp_path / ".env").write_bytes(b"XNAI_PORT=\xff\xfe\x00")
    code, areas = doctor(tmp_path)
    assert (1, "problem") == (code, worst(areas["settings"])["level"])


def test_a_port_that_somebody_else_has_is_told_with_a_free_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, areas = doctor(tmp_path, XNAI_PORT=str(port))
    assert (1, "problem") == (code, areas["port"][0]["level"])
    assert f"XNAI_PORT={port}" not in areas["port"][0]["command"]


def test_somebody_who_drips_an_answer_for_ever_is_not_waited_for(tmp_path):
    stop = threading.Event()

    def drip(listener) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.2):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        port = listener.getsockname()[1]
        code, areas = doctor(tmp_path, XNAI_PORT=str(port))
        stop.set()
        dripping.join()
    assert (1, "problem") == (code, areas["port"][0]["level"])


@pytest.mark.engine
def test_a_running_server_is_asked_how_its_parts_are_doing(server, tmp_path):
    data = str(server.folder / "data")
    code, areas = doctor(tmp_path, XNAI_PORT=str(server.port), XNAI_DATA_DIR=data)
    assert 0 == code, areas
    assert "runs there" in areas["port"][0]["text"]
    assert "ok" == areas["server"][0]["level"], areas["server"]
    assert "whole" in areas["index"][0]["text"]
    assert MIGRATIONS[-1].name in areas["index"][0]["text"]
    assert "ok" == areas["data folder"][0]["level"]


def test_a_damaged_index_is_told_and_left_as_it_is(tmp_path):
    path = tmp_path / "data" / "index.sqlite3"
    path.parent.mkdir()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, text TEXT)")
    rows = [(str(number), "words " * 200) for number in range(200)]
    connection.executemany("INSERT INTO documents VALUES (?, ?)", rows)
    connection.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(16_384))
    before = path.read_bytes()
    code, areas = doctor(tmp_path)
    assert (1, "problem") == (code, areas["index"][0]["level"])
    assert "damaged" in areas["index"][0]["text"]
    assert before == path.read_bytes()
    assert ["index.sqlite3"] == [file.name for file in path.parent.iterdir()]


@pytest.mark.parametrize(
    ("content", "words"), [(b"not a model at all", "not a GGUF"), (None, "incomplete")]
)
def test_a_model_file_that_is_none_or_not_whole_is_told(tmp_path, content, words):
    path = tmp_path / "m.gguf"
    bundled = bundled_path()
    assert bundled is not None
    with bundled.open("rb") as whole:
        path.write_bytes(content or whole.read(5_000_000))
    code, areas = doctor(tmp_path, XNAI_MODEL=str(path))
    assert (1, "problem") == (code, areas["model"][0]["level"])
    assert words in areas["model"][0]["text"]


def test_a_data_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "data").write_text("")
    code, areas = doctor(tmp_path)
    assert (1, "problem") == (code, worst(areas["data folder"])["level"])


def test_redis_is_told_with_its_version_and_a_stopped_one_costs_no_more_than_its_limit(tmp_path):
    redis = RedisServer(binaries()["valkey"], tmp_path / "redis").start()
    try:
        _, well = doctor(tmp_path, XNAI_REDIS_URL=redis.url)
        redis.signal(signal.SIGSTOP)
        code, hung = doctor(tmp_path, XNAI_REDIS_URL=redis.url)
    finally:
        redis.stop()
    _, gone = doctor(tmp_path, XNAI_REDIS_URL=redis.url)
    assert "Valkey" in well["redis"][0]["text"]
    assert ("warning", 0) == (hung["redis"][0]["level"], code)
    assert "no answer within" in hung["redis"][0]["text"]
    assert "nothing listens there" in gone["redis"][0]["text"]


def test_an_endpoint_that_hangs_and_one_that_is_away_are_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung, away = silent.getsockname()[1], free_port()
        urls = f"http://127.0.0.1:{hung},http://127.0.0.1:{away}"
        code, areas = doctor(tmp_path, XNAI_LLM_URL=urls)
    texts = " ".join(finding["text"] for finding in areas["endpoints"])
    assert 1 == code
    assert f"127.0.0.1:{hung} has not answered" in texts
    assert f"127.0.0.1:{away} cannot be reached" in texts
    assert "not needed" in areas["engine"][0]["text"]


def test_listening_to_others_without_keys_is_a_problem(tmp_path):
    code, areas = doctor(tmp_path, XNAI_HOST="0.0.0.0")
    assert (1, "problem") == (code, worst(areas["port"])["level"])


def test_a_check_that_hangs_or_fails_costs_none_of_the_others():
    gate = threading.Event()

    def hangs(_) -> Iterator[Finding]:
        gate.wait()
        yield ok("hangs", "never")

    def fails(_) -> Iterator[Finding]:
        yield ok("fails", "first")
        raise RuntimeError("broken")

    def works(_) -> Iterator[Finding]:
        yield ok("works", "well")

    checks = [("hangs", hangs), ("fails", fails), ("works", works)]
    began = time.monotonic()
    report = run(CheckSubject(Settings(_env_file=None)), checks, limit=0.5)
    gate.set()
    assert time.monotonic() - began < 10
    assert ("hangs",) == report.hung
    assert ["warning", "warning", "ok"] == [finding.level for finding in report.findings]
    assert "no outcome" in report.findings[0].text
