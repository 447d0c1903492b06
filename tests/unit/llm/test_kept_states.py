"""Files of what was read: which one a prompt gets, and which ones go."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import structlog

from xnai.llm.engine.prefix_files import PrefixFiles
from xnai.llm.worker.kept_states import KeptStates
from xnai.llm.worker.prefix_cache import PrefixCache

LONG = list(range(200))


def state(size: int = 1000, value: int = 7) -> np.ndarray:
    return np.full(size, value, np.uint8)


@pytest.fixture
def kept(tmp_path: Path) -> KeptStates:
    return KeptStates(tmp_path, 10_000)


def names(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


def test_the_longest_common_beginning_is_offered(kept):
    kept.keep("a", LONG, state(value=1))
    kept.keep("b", LONG[:100], state(value=2))
    kept.keep("c", [5, *LONG], state(value=3))
    offered = kept.wanted([*LONG, 9], 0)
    assert offered is not None
    assert offered.tokens == LONG
    assert offered.state.tolist() == [1] * 1000


@pytest.mark.parametrize(("available", "is_offered"), [(0, True), (136, True), (137, False)])
def test_what_spares_little_is_not_read(kept, available, is_offered):
    kept.keep("a", LONG, state())
    assert (kept.wanted([*LONG, 9], available) is not None) == is_offered


def test_another_process_sees_what_was_written(kept, tmp_path):
    kept.keep("a", LONG, state())
    assert KeptStates(tmp_path, 10_000).wanted([*LONG, 9], 0) is not None


def test_those_that_were_not_used_for_longest_make_room(kept, tmp_path):
    for age, name in enumerate("abc"):
        kept.keep(name, [age, *LONG], state(2000))
        os.utime(tmp_path / f"{name}.state", (1000 + age, 1000 + age))
    assert kept.wanted([0, *LONG, 9], 0) is not None  # "a" is used now
    kept.keep("d", [9, *LONG], state(2000))
    assert names(tmp_path) == {"a", "c", "d"}


def test_what_is_larger_than_all_room_is_not_written(kept, tmp_path):
    kept.keep("a", LONG, state(1000))
    kept.keep("b", [1, *LONG], state(12_000))
    assert names(tmp_path) == {"a"}


def test_on_a_disk_that_is_nearly_full_nothing_is_kept(tmp_path):
    KeptStates(tmp_path, 10_000, spare_bytes=10**18).keep("a", LONG, state())
    assert names(tmp_path) == set()


def test_a_full_disk_leaves_nothing_half_written(kept, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    kept.keep("a", LONG, state())
    assert names(tmp_path) == set()


def test_the_same_again_is_not_written_again(kept, tmp_path):
    kept.keep("a", LONG, state())
    kept.wanted([*LONG, 9], 0)
    os.utime(tmp_path / "a.state", (1000, 1000))
    kept.wanted([1], 0)
    kept.keep("a", LONG, state())
    assert (tmp_path / "a.state").stat().st_mtime == 1000


def test_other_models_keep_half_of_the_room_at_most(tmp_path):
    prefixes = PrefixFiles(tmp_path, 1)
    first = prefixes.room("one")
    assert first is not None
    assert first.most_bytes == 1_000_000
    for age in range(8):
        path = first.folder / f"{age}.state"
        path.write_bytes(bytes(100_000))
        os.utime(path, (1000 + age, 1000 + age))
    second = prefixes.room("two")
    assert second is not None
    assert second.most_bytes == 500_000
    assert names(first.folder) == {"3", "4", "5", "6", "7"}


def test_a_folder_without_files_goes(tmp_path):
    prefixes = PrefixFiles(tmp_path, 1)
    prefixes.room("one")
    prefixes.room("two")
    assert names(tmp_path / "prefixes") == {"two"}


def test_what_is_half_written_or_of_nothing_goes_at_a_start(tmp_path):
    prefixes = PrefixFiles(tmp_path, 1)
    room = prefixes.room("one")
    assert room is not None
    for name in ("head.state", "head-tables.state", "a.state", "a.part", "gone.state"):
        (room.folder / name).write_bytes(b"x")
    prefixes.clean({"a"})
    assert names(room.folder) == {"head", "head-tables", "a"}
    assert not (room.folder / "a.part").exists()


def test_an_offer_makes_room_in_the_store_or_is_not_taken():
    cache = PrefixCache(1, store_tokens=300)
    first = cache.offer(LONG)
    assert first is not None
    assert first[1] == ()
    second = cache.offer([7, *LONG])
    assert second is not None
    assert [move.key for move in second[1]] == [first[0]]
    assert cache.offer([7, *LONG]) is None  # it is there
    assert cache.offer(list(range(1000, 1400))) is None  # it is larger than the store
    placement = cache.place([7, *LONG, 3])
    assert placement is not None
    assert placement.reused == 201


def test_a_folder_that_cannot_be_made_is_told_once_and_again_after_it_could(tmp_path):
    prefixes = PrefixFiles(tmp_path, 1)
    (tmp_path / "prefixes").write_text("in the way")
    with structlog.testing.capture_logs() as told:
        assert [prefixes.room("a"), prefixes.room("b")] == [None, None]
        assert [line["event"] for line in told] == ["what_is_read_is_not_kept"]
        (tmp_path / "prefixes").unlink()
        assert prefixes.room("a") is not None
        shutil.rmtree(tmp_path / "prefixes")
        (tmp_path / "prefixes").write_text("in the way")
        assert prefixes.room("a") is None
    assert len(told) == 2


def test_a_state_that_is_refused_is_removed_and_offered_no_more(kept, tmp_path):
    kept.keep("a", LONG, state())
    offered = kept.wanted([*LONG, 9], 0)
    assert offered is not None
    kept.drop(offered.path)
    assert kept.wanted([*LONG, 9], 0) is None
    assert names(tmp_path) == set()
