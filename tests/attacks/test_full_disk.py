"""On a full disk a person can make room, and one that is read-only is called that by each part."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from xnai.sqlite import reserve

SUPPORT = ROOT / "tests" / "support"
WALK = (
    'mount -t tmpfs -o size=160m,mode=700 tmpfs "$1" && '
    f'PYTHONPATH="{ROOT}:{SUPPORT}" exec "{sys.executable}" "{SUPPORT}/$2" "$1"'
)


def walked(disk: Path, script: str) -> dict[str, Any]:
    """What a script says of a disk of 160 MB of its own."""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", WALK, "sh", str(disk), script],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each step of the walk over a full disk."""
    return walked(tmp_path_factory.mktemp("disk"), "full_disk.py")


@pytest.mark.needs("namespaces")
def test_a_person_makes_room_on_a_full_disk_and_goes_on(told):
    assert told["added"] == "disk_full"
    gone = [told["library"], told["little.txt"], told["large.txt"], told["thread"]]
    assert gone == [True] * 4
    assert told["found"] == 1
    assert told["read"]


@pytest.mark.needs("namespaces")
def test_the_room_that_was_lent_is_taken_again_and_nothing_of_the_document_stays(told):
    kept = [told["kept after little.txt"], told["kept after large.txt"]]
    assert min(kept) > 8_000_000
    assert told["traces"] == []
    lent, left = told["start"]  # to a server that is started on the full disk
    assert min(lent, left) > 2_000_000


def test_the_room_is_kept_once_and_leaves_room_to_others(tmp_path: Path):
    assert reserve.take(tmp_path)
    assert reserve.kept(tmp_path) == reserve.MOST
    assert reserve.take(tmp_path)
    assert reserve.kept(tmp_path) == reserve.MOST
    with reserve.lent(tmp_path):
        assert reserve.kept(tmp_path) == 0
        assert "no room" in reserve.words(tmp_path)
    assert reserve.is_whole(tmp_path)
    (tmp_path / reserve.NAME).unlink()
    assert not reserve.take(tmp_path, leave=10**18)
    assert reserve.kept(tmp_path) == 0


@pytest.mark.needs("namespaces")
def test_each_part_says_of_a_read_only_disk_which_folder_it_is_and_what_it_is(tmp_path: Path):
    said = walked(tmp_path, "read_only_disk.py")
    code, words = said.pop("start")
    assert (code, words.endswith("cannot be written: Read-only file system.")) == (
        "data_dir_unusable",
        True,
    )
    assert {code for code, _ in said.values()} == {"data_read_only"}
    assert all(str(tmp_path) in words for _, words in said.values())
