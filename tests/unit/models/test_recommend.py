"""Which model is recommended for which machine, and when none is fetched."""

import pytest

from xnai.models import recommend as recommending
from xnai.models.catalogue import shipped
from xnai.models.recommend import expected_speed, no_room, recommend, why_not
from xnai.settings import Settings

LARGE, SMALL = "qwen2.5-coder-1.5b-instruct-q4_k_m", "qwen2.5-coder-0.5b-instruct-q4_k_m"
AVX2 = frozenset({"avx2"})
AMX = frozenset({"avx2", "amx_int8"})
GB = 10**9


@pytest.mark.parametrize(
    ("memory", "cores", "flags", "expected"),
    [
        (3.2 * GB, 2, AVX2, LARGE),
        (3.2 * GB, 2, AMX, LARGE),
        (3.2 * GB, 1, AVX2, LARGE),
        (2.0 * GB, 2, AVX2, SMALL),
        (8.0 * GB, 2, frozenset({"sse2"}), SMALL),  # too slow for the larger one
        (8.0 * GB, 4, frozenset({"asimd"}), LARGE),  # not measured on Arm: taken to be quick
        (1.2 * GB, 2, AVX2, None),
    ],
)
def test_the_best_model_that_fits_memory_and_speed(memory, cores, flags, expected):
    found = recommend(shipped(), int(memory), cores, flags)
    assert (found and found.name) == expected


def test_speeds_are_those_measured_scaled_by_cores():
    entry = shipped().get(LARGE)
    assert expected_speed(entry, 2, AVX2) == (80, 14)
    assert expected_speed(entry, 4, AVX2) == (160, 14)
    assert expected_speed(entry, 1, AMX) == (99.5, 7)
    assert expected_speed(entry, 2, frozenset({"asimd"})) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "bundled"}, "XNAI_MODEL"),
        ({"model": "mine"}, "XNAI_MODEL"),
        ({"llm_url": "http://127.0.0.1:9"}, "XNAI_LLM_URL"),
        ({"llm_url": "http://127.0.0.1:9", "llm_fallback": True}, ""),
        ({}, ""),
    ],
)
def test_the_settings_that_speak_against_fetching_are_named(given, words):
    reason = why_not(Settings(_env_file=None, **given))
    assert bool(reason) == bool(words)
    assert words in reason


def test_a_disk_without_room_for_the_model_and_its_largest_part_is_named(tmp_path, monkeypatch):
    entry = shipped().get(SMALL)
    needed = entry.size + 2 * entry.largest_part + recommending.SPARE_BYTES
    monkeypatch.setattr(recommending, "free_bytes", lambda _: needed)
    assert no_room(entry, tmp_path) == ""
    monkeypatch.setattr(recommending, "free_bytes", lambda _: needed - 1)
    assert "of disk" in no_room(entry, tmp_path)
