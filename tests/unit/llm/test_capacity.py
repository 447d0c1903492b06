"""How many answers at once a machine is taken to manage."""

import pytest

from xnai.llm.gguf.capacity import MOST_SLOTS, MOST_STORE, Capacity, capacity

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("cores", "spare", "cache", "slots"),
    [(2, 20 * GB, GB // 5, MOST_SLOTS), (1, 20 * GB, GB // 5, 4), (8, 4 * GB, GB, 2)],
)
def test_slots_follow_cores_and_memory(cores, spare, cache, slots):
    assert slots == capacity(0, cores, spare, cache).slots


def test_there_is_always_one_slot():
    assert Capacity(1, 0) == capacity(0, 2, GB, 2 * GB)


def test_the_settings_may_ask_for_more_than_the_default():
    assert 32 == capacity(32, 2, 20 * GB, GB // 5).slots


def test_no_more_slots_than_memory_holds():
    assert 3 == capacity(32, 2, 3 * GB, GB).slots


def test_the_store_takes_a_share_of_what_is_left_up_to_a_limit():
    assert [GB // 10, MOST_STORE] == [
        capacity(1, 2, 2 * GB, GB).store_bytes,
        capacity(1, 2, 100 * GB, GB).store_bytes,
    ]
