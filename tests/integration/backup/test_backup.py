"""A backup that is taken while documents are being added, put into an empty folder, and asked."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading

import apsw
import httpx
import pytest
from paths import ROOT

from rig.waiting import wait_until


def xnai(data, *arguments: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    done = subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", *arguments],
        env={**inherited, "PYTHONPATH": str(ROOT), "XNAI_DATA_DIR": str(data)},
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def filled(tmp_path):
    """A data folder with one document, as far as a backup looks into it."""
    data = tmp_path / "data"
    content = b"The lamp was replaced in 1987."
    name = "a" * 32
    (data / "documents" / "aa").mkdir(parents=True)
    (data / "documents" / "aa" / name).write_bytes(content)
    connection = apsw.Connection(str(data / "index.sqlite3"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE documents (id TEXT, size INTEGER, sha256 TEXT)")
    row = (name, len(content), hashlib.sha256(content).hexdigest())
    connection.execute("INSERT INTO documents VALUES (?, ?, ?)", row)
    connection.close()
    return data


@pytest.mark.engine
def test_a_backup_taken_during_ingest_is_restored_and_answers(server, tmp_path):
    own = type(server)(tmp_path / "first", {"XNAI_LOG_LEVEL": "warning"})
    prepare(server, own.folder)
    own.start()
    own.wait(status="ready")
    kept = own.upload("lighthouse.txt", b"The lamp of Norwick Lighthouse was replaced in 1987.")
    stop, added = threading.Event(), []

    def keep_adding() -> None:
        while not stop.is_set():
            number = len(added)
            text = "\n\n".join(f"Keeper {number} of tower {n} bakes bread." for n in range(60))
            files = {"file": (f"keeper-{number}.txt", text.encode())}
            added.append(httpx.post(f"{own.url}/v1/files", files=files, timeout=60).json()["id"])

    adding = threading.Thread(target=keep_adding)
    adding.start()
    try:
        wait_until(lambda: len(added) >= 5, "five documents")
        before = len(added)
        done = xnai(own.folder / "data", "backup", str(tmp_path / "backup"), "--json")
        assert 0 == done.returncode, done.stderr
        assert len(added) > before - 1
    finally:
        stop.set()
        adding.join()
        own.stop()
    taken = json.loads(done.stdout)
    assert taken["documents"] >= before + 1
    assert 0 == taken["missing"]

    other = type(server)(tmp_path / "second", {"XNAI_LOG_LEVEL": "warning"})
    other.folder.mkdir()
    restored = xnai(other.folder / "data", "restore", str(tmp_path / "backup"))
    assert 0 == restored.returncode, restored.stderr
    prepare(server, other.folder)
    other.start()
    try:
        other.wait(status="ready", model="ready")
        files = httpx.get(f"{other.url}/v1/files").json()["data"]
        assert taken["documents"] == len(files)
        body = {
            "messages": [{"role": "user", "content": "When was the lamp replaced?"}],
            "retrieval": {"document_ids": [kept]},
        }
        answer = httpx.post(f"{other.url}/v1/chat/completions", json=body, timeout=120).json()
        assert "1987" in answer["citations"][0]["quote"]
        wait_until_read(other)
    finally:
        assert 0 == other.stop()


def prepare(server, folder):
    """What is made once, so that the start is quick."""
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, folder / "data" / name)


def wait_until_read(server):
    """Documents that were being read when the backup was taken are read to their end."""

    def states() -> set[str]:
        return {file["status"] for file in httpx.get(f"{server.url}/v1/files").json()["data"]}

    wait_until(lambda: states() == {"processed"}, states, 120)


def test_a_backup_is_private_and_appears_whole_or_not_at_all(filled, tmp_path):
    done = xnai(filled, "backup", str(tmp_path / "b"))
    assert 0 == done.returncode, done.stderr
    assert "1 documents" in done.stdout
    everything = [tmp_path / "b", *(tmp_path / "b").rglob("*")]
    assert {0} == {path.stat().st_mode & 0o077 for path in everything if path.is_dir()}
    assert not list((tmp_path / "b").glob("*-wal"))
    again = xnai(filled, "backup", str(tmp_path / "b"))
    assert 2 == again.returncode
    assert "exists already" in again.stderr
    assert not list(tmp_path.glob(".*partial"))


def test_a_folder_without_data_and_a_damaged_index_are_refused(filled, tmp_path):
    (tmp_path / "empty").mkdir()
    nothing = xnai(tmp_path / "empty", "backup", str(tmp_path / "b"))
    (filled / "index.sqlite3").write_bytes(os.urandom(50_000))
    damaged = xnai(filled, "backup", str(tmp_path / "b"))
    (tmp_path / "file").write_text("")
    nowhere = xnai(filled, "backup", str(tmp_path / "file" / "b"))
    assert [2, 2, 2] == [one.returncode for one in (nothing, damaged, nowhere)]
    assert not (tmp_path / "b").exists()


def test_a_restore_leaves_data_alone_and_refuses_what_was_changed(filled, tmp_path):
    backup = tmp_path / "b"
    assert 0 == xnai(filled, "backup", str(backup)).returncode
    onto_data = xnai(filled, "restore", str(backup))
    document = next(path for path in (backup / "documents").rglob("*") if path.is_file())
    document.write_bytes(b"something else")
    changed = xnai(tmp_path / "new", "restore", str(backup))
    (backup / "manifest.json").write_text('{"format": 1, "files": {"../x": ""}, "documents": {}}')
    hostile = xnai(tmp_path / "new", "restore", str(backup))
    assert [2, 2, 2] == [one.returncode for one in (onto_data, changed, hostile)]
    assert "was changed" in changed.stderr
    assert not list((tmp_path / "new").glob("*"))
