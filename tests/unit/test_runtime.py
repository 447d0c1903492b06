"""How the parts of a server begin and end."""

import pytest

from xnai.runtime import Runtime
from xnai.settings import Settings

PARTS = {
    "audit": ("audit", "close"),
    "export": ("_export", "stop"),
    "watchdog": ("_watchdog", "stop"),
    "embedder": ("embedder", "close"),
    "library": ("library", "close"),
    "breakers": ("breakers", "close"),
    "model": ("model", "close"),
    "health": ("health", "stop"),
    "streams": ("streams", "close"),
}


@pytest.fixture
def ended():
    return []


@pytest.fixture
def runtime(tmp_path, monkeypatch, ended):
    """A runtime without a model of its own, which notes what ends when."""
    made = Runtime(Settings(_env_file=None, data_dir=tmp_path, llm_url=("http://127.0.0.1:9",)))
    for name, (attribute, end) in PARTS.items():
        part = getattr(made, attribute)
        monkeypatch.setattr(part, end, noting(ended, name, getattr(part, end)))
    return made


def noting(ended, name, end):
    async def noted() -> None:
        ended.append(name)
        await end()

    return noted


async def test_what_is_begun_last_is_ended_first(runtime, ended):
    await runtime.start()
    await runtime.stop()
    assert ended == list(reversed(PARTS))


async def test_what_fails_to_end_keeps_nothing_open(runtime, ended, monkeypatch):
    async def broken() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(runtime.library, "close", broken)
    await runtime.start()
    with pytest.raises(OSError, match="the disk is gone"):
        await runtime.stop()
    assert ended == [name for name in reversed(PARTS) if name != "library"]


async def test_what_was_never_begun_need_not_be_ended(runtime, ended):
    await runtime.stop()
    assert ended == []
    assert not runtime.accepting
