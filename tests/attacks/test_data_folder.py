"""Somebody else's folder is left alone, and nobody else looks into ours.

Each server is one of its own on 127.0.0.1, with a data folder of its own.
"""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from data_server import (
    WITHOUT_MODEL,
    begin,
    doctor,
    environment,
    xnai,
)

from rig.processes import free_port
from xnai.data_folder.ownership import prepare_folder


def serve(data: Path, named: str) -> subprocess.CompletedProcess[str]:
    """Start a server in a folder where it is expected to refuse."""
    own = {"XNAI_DATA_DIR": named, "XNAI_PORT": str(free_port()), **WITHOUT_MODEL}
    return subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", "serve"],
        env={**environment(data), **own},
        cwd=data,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("holds", ["notes.txt", "projects/", "logs/", "index.sqlite3"])
def test_somebody_elses_folder_is_refused_and_left_as_it_is(tmp_path, holds):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    if holds == "index.sqlite3":
        another = sqlite3.connect(folder / holds)
        another.execute("CREATE TABLE songs (name TEXT)")
        another.close()
    elif holds.endswith("/"):
        (folder / holds).mkdir()
    else:
        (folder / holds).write_text("theirs")
    before = sorted(path.name for path in folder.rglob("*"))
    done = serve(folder, "." if holds == "notes.txt" else str(folder))
    areas = doctor(folder)
    assert done.returncode == 2
    assert "XNAI_DATA_DIR=" in done.stderr
    assert "no mark of XNAi" in done.stderr
    assert folder.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert areas["data folder"][0]["level"] == "problem"
    (tmp_path / "backup").mkdir()
    assert xnai(folder, "restore", str(tmp_path / "backup")).returncode == 2
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_an_empty_folder_a_fresh_disk_and_an_earlier_versions_folder_are_taken(prepared, tmp_path):
    empty, disk, old = (tmp_path / name for name in ("empty", "disk", "old"))
    (disk / "lost+found").mkdir(parents=True)
    empty.mkdir(mode=0o755)
    empty.chmod(0o755)
    shutil.copytree(prepared, old)
    (old / ".xnai").unlink()
    (old / "notes of mine.txt").write_text("kept here")
    engine = tmp_path / "engine only"
    (engine / "engine" / "x").mkdir(parents=True)
    (engine / "logs").mkdir()
    for folder in (empty, disk, old, engine):
        prepare_folder(folder)
        assert (folder / ".xnai").is_file()
    assert empty.stat().st_mode & 0o777 == 0o755


def test_everything_in_the_data_folder_is_its_owners_alone(kept):
    data = kept.folder / "data"
    for name in ("index.sqlite3", "history.sqlite3"):  # as earlier versions left them
        (data / name).chmod(0o644)
    begin(kept)
    kept.upload("new.txt", b"Something new.")
    everything = [path for path in data.rglob("*") if not path.is_symlink()]
    modes = {str(path): path.stat().st_mode & 0o777 for path in everything}
    wrong = {
        path: oct(mode)
        for path, mode in modes.items()
        if mode & 0o077 or (Path(path).is_dir() and mode != 0o700)
    }
    assert wrong == {}
    assert Path(f"{data / 'index.sqlite3'}-wal") in everything


def test_a_backup_into_the_data_folder_is_refused(kept):
    data = kept.folder / "data"
    before = sorted(data.iterdir())
    for place in (data / "backup", data / "documents" / ".." / "backup", data):
        done = xnai(data, "backup", str(place))
        assert done.returncode == 2
    (kept.folder / "link").symlink_to(data)
    done = xnai(data, "backup", str(kept.folder / "link" / "backup"))
    assert (done.returncode, "inside the data folder" in done.stderr) == (2, True)
    assert sorted(data.iterdir()) == before
