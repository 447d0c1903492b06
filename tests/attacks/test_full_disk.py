"""On a full disk a person can make room: what is deleted goes, and what is left can be read."""

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
    f'PYTHONPATH="{ROOT}:{SUPPORT}" exec "{sys.executable}" "{SUPPORT}/full_disk.py" "$1"'
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each step of the walk over a disk of 160 MB."""
    disk = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", WALK, "sh", str(disk)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
