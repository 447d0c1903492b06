"""What the worker has read is on disk, for the worker after it."""

import os
import stat
import struct
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from rig.waiting import collect
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.engine.prefix_files import PrefixFiles
from xnai.llm.protocol import Completion, Finished, TokenText
from xnai.llm.worker.kept_states import KeptStates
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = [pytest.mark.engine]

TEXT = " ".join(
    f"In the year {year} the mill ground {year % 97} sacks." for year in range(1900, 1920)
)
DOCUMENT = "0a1b2c3d"


@asynccontextmanager
async def running(folder: Path, **chosen: object):
    options = {"context": 1024, "slots": 2, "calibration": False, **chosen}
    settings = Settings(_env_file=None, data_dir=folder / "data", models_dir=folder, **options)
    engine = LocalEngine(settings, EngineBuild(settings))
    await engine.start()
    try:
        await engine.ensure_ready(time.monotonic() + 60)
        yield engine
    finally:
        await engine.close()


async def asked(engine: LocalEngine, question: str, *, keep: str = "", **sampling: int):
    """The answer's text, and how many tokens of the prompt had been read before."""
    how = Sampling(max_tokens=3, temperature=0.0, **sampling)
    prompt = (Message("user", f"{TEXT} {question}"),)
    completion = Completion("r", "u", prompt, how, time.monotonic() + 120, keep=keep)
    events = await collect(engine.complete(completion))
    assert isinstance(events[-1], Finished)
    text = "".join(event.text for event in events if isinstance(event, TokenText))
    return text, events[-1].usage


def files(folder: Path) -> list[Path]:
    return sorted((folder / "data/prefixes").glob("*/*"))


async def test_a_worker_goes_on_where_the_one_before_it_had_read(tmp_path):
    async with running(tmp_path) as engine:
        await asked(engine, "", keep=DOCUMENT)
        fresh, _ = await asked(engine, "How many sacks in 1912?")
    (kept,) = files(tmp_path)
    assert kept.name == f"{DOCUMENT}.state"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700

    async with running(tmp_path) as engine:
        text, usage = await asked(engine, "How many sacks in 1912?")
        _, seeded = await asked(engine, "How many in 1913?", seed=1)

    assert text == fresh
    assert usage.reused_tokens > usage.prompt_tokens - 24
    assert seeded.reused_tokens == 0  # it is to give the same text on every machine


async def test_of_a_deleted_document_nothing_is_taken_up_again(tmp_path):
    async with running(tmp_path) as engine:
        await asked(engine, "", keep=DOCUMENT)
        await asked(engine, "Other.", keep="other")
    prefixes = PrefixFiles(tmp_path / "data", 2000)
    prefixes.remove(DOCUMENT)
    assert [path.stem for path in files(tmp_path)] == ["other"]
    prefixes.clean({DOCUMENT})
    assert files(tmp_path) == []

    async with running(tmp_path) as engine:
        assert (await asked(engine, "How many?"))[1].reused_tokens == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "replaced"])
async def test_a_damaged_file_costs_the_reading_and_nothing_else(tmp_path, damage):
    async with running(tmp_path) as engine:
        await asked(engine, "", keep=DOCUMENT)
        fresh, _ = await asked(engine, "How many sacks in 1912?")
    (kept,) = files(tmp_path)
    size = kept.stat().st_size
    with kept.open("r+b") as file:
        if damage == "flipped":
            file.seek(size // 2)
            file.write(b"\xff" * 64)
        else:
            file.truncate({"cut": size // 2, "emptied": 0, "replaced": size}[damage])
    if damage == "replaced":
        kept.write_bytes(os.urandom(4096))

    async with running(tmp_path) as engine:
        text, usage = await asked(engine, "How many sacks in 1912?")
        assert (text, usage.reused_tokens) == (fresh, 0)
        await asked(engine, "", keep=DOCUMENT)  # and it is kept anew

    async with running(tmp_path) as engine:
        assert (await asked(engine, "How many?"))[1].reused_tokens > 0


async def test_a_state_that_the_engine_does_not_take_is_read_again(tmp_path):
    """Its checksum is right, but what it holds is none of this engine's."""
    async with running(tmp_path) as engine:
        await asked(engine, "", keep=DOCUMENT)
        fresh, _ = await asked(engine, "How many sacks in 1912?")
    (kept,) = files(tmp_path)
    begun = np.fromfile(kept, np.uint8)[: 14 + 16].tobytes()
    (count,) = struct.unpack_from("<I", begun, 14)
    tokens = np.fromfile(kept, np.int32, count, offset=len(begun)).tolist()
    offered = KeptStates(kept.parent, 10**9).wanted([*tokens, 1], 0)
    assert offered is not None
    offered.state[:64] = 255
    kept.unlink()
    KeptStates(kept.parent, 10**9).keep(DOCUMENT, offered.tokens, offered.state)
    assert kept.exists()

    async with running(tmp_path) as engine:
        text, _ = await asked(engine, "How many sacks in 1912?")
        assert text == fresh
        assert engine.counters.restarts == 0
        assert not kept.exists()  # nobody is offered it again


async def test_nothing_is_kept_where_it_is_not_wanted(tmp_path):
    async with running(tmp_path, prefix_cache_mb=0) as engine:
        await asked(engine, "", keep=DOCUMENT)
    assert not (tmp_path / "data/prefixes").exists()


async def test_a_name_is_no_path(tmp_path):
    async with running(tmp_path) as engine:
        await asked(engine, "", keep="../escape")
        await asked(engine, "")
    assert list(tmp_path.rglob("*escape*")) == []
