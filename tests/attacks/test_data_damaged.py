"""Damaged databases are told, and what doctor says to type next mends them and nothing else.

Each server is one of its own on 127.0.0.1, with a data folder of its own.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from data_server import (
    TEXTS,
    all_read,
    begin,
    doctor,
    environment,
    follow,
    listed,
    originals,
    states,
    xnai,
)

from rig.waiting import wait_until
from rig.whole_server import Server


def flip(path: Path, wanted: bytes, by: bytes) -> None:
    """Put other bytes in the place of some, wherever a database has them."""
    content = path.read_bytes()
    assert wanted in content
    path.write_bytes(content.replace(wanted, by))


@pytest.mark.parametrize("by", [b"\xff\xfe\xfd\xfc", b"Ale "], ids=["no text", "another text"])
def test_flipped_bytes_of_a_text_are_told_and_mended_by_what_doctor_says(kept, by):
    data = kept.folder / "data"
    flip(data / "index.sqlite3", b"Tea is grown", by + b"is grown")
    areas = doctor(data)
    begin(kept)
    wait_until(lambda: kept.health()["dependencies"]["index"]["state"] == "degraded")
    assert kept.health()["dependencies"]["index"]["error_code"] == "index_partly_damaged"
    kept.stop()
    (finding,) = areas["index"]
    assert finding["level"] == "problem"
    assert "cannot be read" in finding["text"]

    follow(data, finding)
    begin(kept)
    wait_until(lambda: all_read(kept))
    assert originals(data) == set(TEXTS.values())
    kept.stop()
    assert doctor(data)["index"][0]["level"] != "problem"


def test_a_destroyed_index_is_not_ready_and_mended_by_what_doctor_says(kept):
    data = kept.folder / "data"
    (data / "index.sqlite3").write_bytes(os.urandom(80_000))
    (finding,) = doctor(data)["index"]
    kept.start()
    wait_until(lambda: answers(kept) == 503)
    kept.stop()
    assert finding["level"] == "problem"
    follow(data, finding)
    begin(kept)
    wait_until(lambda: all_read(kept))


def answers(server: Server) -> int:
    try:
        answer = httpx.get(f"{server.url}/health/ready", timeout=5)
    except httpx.HTTPError:
        return 0
    return answer.status_code if answer.json()["dependencies"]["search"]["state"] == "down" else 0


def test_what_doctor_says_of_a_damaged_history_leaves_the_documents_alone(kept):
    data = kept.folder / "data"
    path = data / "history.sqlite3"
    content = bytearray(path.read_bytes())
    content[5000:] = os.urandom(len(content) - 5000)
    path.write_bytes(content)
    (finding,) = doctor(data)["history"]
    assert finding["level"] == "problem"
    follow(data, finding)
    begin(kept)
    assert all_read(kept)
    assert list(data.glob("history.sqlite3.aside-*"))


@pytest.mark.parametrize("name", ["index", "history"])
def test_what_doctor_says_of_a_database_that_is_gone_is_true(kept, name):
    data = kept.folder / "data"
    (data / f"{name}.sqlite3").unlink()
    finding = doctor(data)[name][0]
    assert (finding["level"], finding["command"]) == ("problem", "make run")
    begin(kept)
    wait_until(lambda: all_read(kept))
    kept.stop()
    assert doctor(data)[name][0]["level"] == "ok"


def test_without_the_file_of_people_nobody_is_made_anew_and_all_comes_back_with_it(kept):
    data = kept.folder / "data"
    (data / "accounts.json").rename(kept.folder / "put away")
    finding = doctor(data)["people"][0]
    assert (finding["level"], "it is gone" in finding["text"]) == ("problem", True)
    follow(data, finding)
    kept.start()
    assert kept.process.wait(60) != 0
    assert "accounts.json" in kept.log.splitlines()[-1] or "nobody's" in kept.log
    assert not (data / "accounts.json").exists()
    (kept.folder / "put away").rename(data / "accounts.json")
    begin(kept)
    assert all_read(kept)
    assert doctor(data)["people"][0]["level"] == "ok"


def test_what_doctor_says_of_missing_documents_and_of_open_rights_is_true(kept):
    data = kept.folder / "data"
    next((data / "documents").glob("??/" + "?" * 32)).unlink()
    (data / "index.sqlite3").chmod(0o644)
    areas = doctor(data)
    assert areas["documents"][0]["command"].split()[0] == "xnai"
    told = xnai(data, *areas["documents"][0]["command"].split()[1:])
    assert told.stdout.count("missing") == 1
    follow(data, areas["data folder"][0])
    assert doctor(data)["data folder"][0]["level"] == "ok"


def test_prune_shows_what_is_missing_asks_and_removes_that_alone(kept):
    data = kept.folder / "data"
    begin(kept)
    one = str(listed(kept)["tea.txt"]["id"])
    kept.stop()
    (data / "documents" / one[:2] / one).unlink()
    unasked = xnai(data, "documents", "prune")
    assert (unasked.returncode, unasked.stdout.split()[0]) == (2, one)
    assert asked(data, "n") == 1
    assert len(json.loads(xnai(data, "documents", "list", "--json").stdout)["data"]) == 3
    assert asked(data, "y") == 0
    rows = json.loads(xnai(data, "documents", "list", "--json").stdout)["data"]
    assert {row["file_name"] for row in rows} == set(TEXTS) - {"tea.txt"}
    begin(kept)
    assert states(kept) == {"processed"}


def asked(data: Path, answer: str) -> int:
    """Run prune on a terminal, where it asks."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "xnai.cli.main", "documents", "prune"]
    process = subprocess.Popen(
        command, env=environment(data), stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    os.write(leader, f"{answer}\n".encode())
    shown = b""
    try:
        while block := os.read(leader, 1000):
            shown += block
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    code = process.wait(30)
    assert b"Remove 1 documents" in shown
    return code


def test_a_folder_that_is_gone_for_good_can_be_begun_anew_by_a_command(kept):
    data = kept.folder / "data"
    shutil.rmtree(data / "documents")
    done = xnai(data, "documents", "prune", "--yes", "--json")
    assert len(json.loads(done.stdout)["removed"]) == len(TEXTS)
    begin(kept)
    kept.upload("tea.txt", TEXTS["tea.txt"])
    assert states(kept) == {"processed"}
