"""Nothing that was accepted is lost: folders that are away, an index that is gone, half a restore.

Each server is one of its own on 127.0.0.1, with a data folder of its own.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from data_server import (
    TEXTS,
    WITHOUT_MODEL,
    all_read,
    begin,
    doctor,
    environment,
    listed,
    originals,
    states,
    xnai,
)

from rig.waiting import wait_until
from rig.whole_server import Server


def moved_away(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def not_mounted(folder: Path) -> None:
    moved_away(folder)
    folder.mkdir()


def a_fresh_disk(folder: Path) -> None:
    not_mounted(folder)
    (folder / "lost+found").mkdir()


def a_dead_link(folder: Path) -> None:
    moved_away(folder)
    folder.symlink_to(folder.with_name("nowhere"))


def put_back(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        for path in folder.iterdir():
            path.rmdir()
        folder.rmdir()
    folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("take_away", [moved_away, not_mounted, a_fresh_disk, a_dead_link])
def test_a_folder_that_is_away_loses_nothing_and_comes_back_by_itself(kept, take_away):
    data = kept.folder / "data"
    take_away(data / "documents")
    begin(kept)
    away = listed(kept)
    health = kept.health()
    one = next(iter(away.values()))
    content = httpx.get(f"{kept.url}/v1/files/{one['id']}/content", timeout=10)
    refused = httpx.post(f"{kept.url}/v1/files", files={"file": ("new.txt", b"new")}, timeout=10)
    areas = doctor(data)
    kept.stop()

    assert set(away) == set(TEXTS)
    assert {file["status"] for file in away.values()} == {"missing"}
    assert all("is missing" in str(file["status_details"]) for file in away.values())
    assert health["missing"] == len(TEXTS)
    assert (content.status_code, content.json()["error"]["code"]) == (410, "document_missing")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "documents_away")
    assert [f["level"] for f in areas["documents"]] == ["problem"]

    put_back(data / "documents")
    begin(kept)
    wait_until(lambda: all_read(kept))
    assert {name: f["id"] for name, f in listed(kept).items()} == {
        name: f["id"] for name, f in away.items()
    }
    assert kept.health()["missing"] == 0
    assert originals(data) == set(TEXTS.values())


def test_a_folder_that_is_mounted_while_the_server_runs_comes_back_without_a_start(kept):
    data = kept.folder / "data"
    moved_away(data / "documents")
    begin(kept)
    assert states(kept) == {"missing"}
    put_back(data / "documents")
    wait_until(lambda: all_read(kept) and kept.health()["missing"] == 0)
    (path := next((data / "documents").glob("??/" + "?" * 32))).rename(kept.folder / "one")
    wait_until(lambda: kept.health()["missing"] == 1)
    (kept.folder / "one").rename(path)
    wait_until(lambda: all_read(kept) and kept.health()["missing"] == 0)


def emptied(index: Path) -> None:
    index.write_bytes(b"")


def removed(index: Path) -> None:
    index.unlink()


def another_programs(index: Path) -> None:
    index.unlink()
    with sqlite3.connect(index) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
        other.execute("INSERT INTO songs VALUES ('a song')")
    other.close()


def its_log_alone(index: Path) -> None:
    index.rename(f"{index}-wal")


@pytest.mark.parametrize("fault", [emptied, removed, another_programs, its_log_alone])
def test_originals_without_an_index_are_told_and_read_again(kept, fault):
    data = kept.folder / "data"
    ids = {path.name for path in (data / "documents").glob("??/" + "?" * 32)}
    fault(data / "index.sqlite3")
    before = doctor(data)
    begin(kept)
    wait_until(lambda: all_read(kept))
    assert {file["id"] for file in listed(kept).values()} == ids
    assert originals(data) == set(TEXTS.values())
    told = before["index"] + before["documents"]
    assert {"ok"} != {finding["level"] for finding in told}
    if fault is another_programs:
        (aside,) = data.glob("index.sqlite3.aside-*")
        with sqlite3.connect(aside) as other:
            assert other.execute("SELECT name FROM songs").fetchall() == [("a song",)]
    if fault is its_log_alone:
        assert list(data.glob("index.sqlite3.aside-*-wal"))


def test_a_log_that_is_removed_after_a_kill_costs_no_document(kept):
    data = kept.folder / "data"
    begin(kept)
    extra = {f"more{n}.txt": f"Number {n} of the ships carries coal.".encode() for n in range(6)}
    for name, content in extra.items():
        files = {"file": (name, content)}
        assert httpx.post(f"{kept.url}/v1/files", files=files, timeout=30).status_code == 200
    assert kept.process is not None
    kept.process.kill()
    kept.process.wait(20)
    for end in ("-wal", "-shm"):
        Path(f"{data / 'index.sqlite3'}{end}").unlink()

    begin(kept)
    wait_until(lambda: set(listed(kept)) == {*TEXTS, *extra} and states(kept) == {"processed"})
    assert originals(data) == {*TEXTS.values(), *extra.values()}


def test_a_deleted_document_does_not_come_back_with_the_index_or_with_its_folder(kept):
    data = kept.folder / "data"
    begin(kept)
    gone = listed(kept)["tea.txt"]["id"]
    assert httpx.delete(f"{kept.url}/v1/files/{gone}", timeout=30).status_code == 200
    moved_away(data / "documents")
    also = listed(kept)["lamp.txt"]["id"]
    assert httpx.delete(f"{kept.url}/v1/files/{also}", timeout=30).status_code == 200
    kept.stop()
    put_back(data / "documents")
    (data / "index.sqlite3").unlink()
    begin(kept)
    wait_until(lambda: set(listed(kept)) == {"rope.txt"} and states(kept) == {"processed"})
    assert originals(data) == {TEXTS["rope.txt"]}


def test_the_same_file_again_takes_the_place_of_a_missing_one(kept):
    data = kept.folder / "data"
    begin(kept)
    one = listed(kept)["tea.txt"]["id"]
    (data / "documents" / str(one)[:2] / str(one)).unlink()
    wait_until(lambda: listed(kept)["tea.txt"]["status"] == "missing")
    assert kept.upload("tea.txt", TEXTS["tea.txt"]) == one
    assert originals(data) == set(TEXTS.values())


DYING = """
import os, sys
from pathlib import Path
from xnai.backup import archive
from xnai.settings import load_settings
left = int(sys.argv[2])
replace = Path.replace
def dying(self, target):
    global left
    if Path(target).parent == load_settings().data_dir:
        if not left:
            os._exit(9)
        left -= 1
    return replace(self, target)
Path.replace = dying
archive.restore_backup(load_settings(), Path(sys.argv[1]), lambda *_: None)
"""


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_restore_that_dies_between_two_pieces_is_ended_by_the_next_start(kept, tmp_path, pieces):
    backup, new = tmp_path / "backup", tmp_path / "new"
    assert xnai(kept.folder / "data", "backup", str(backup)).returncode == 0
    new.mkdir()
    other = Server(new, WITHOUT_MODEL)
    command = [sys.executable, "-c", DYING, str(backup), str(pieces)]
    died = subprocess.run(command, env=environment(new / "data"), check=False, timeout=60)
    assert died.returncode == 9
    assert not (new / "data" / "index.sqlite3").exists()
    begin(other)
    try:
        wait_until(lambda: all_read(other))
        assert originals(new / "data") == set(TEXTS.values())
        assert not (new / "data" / ".restore").exists()
    finally:
        other.stop()


def test_a_restored_folder_whose_index_is_lost_is_read_again_with_names(kept, tmp_path):
    backup, new = tmp_path / "backup", tmp_path / "new"
    xnai(kept.folder / "data", "backup", str(backup))
    new.mkdir()
    assert xnai(new / "data", "restore", str(backup)).returncode == 0
    (new / "data" / "index.sqlite3").unlink()
    other = Server(new, WITHOUT_MODEL)
    begin(other)
    try:
        wait_until(lambda: all_read(other))
        assert set(listed(other)) == set(TEXTS)
    finally:
        other.stop()
