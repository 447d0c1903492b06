import asyncio
import errno
import threading

import pytest

from rig.waiting import PATIENCE, eventually, stays
from xnai.aio import in_thread
from xnai.errors import DISK_LOW, INTERNAL, XnaiError
from xnai.observability.health import Health, PartDegraded, disk_look
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.settings import Settings

QUICK = {"every": 0.01, "limit": 0.05}


@pytest.fixture
async def health():
    health = Health(**QUICK)
    yield health
    await health.stop()


async def test_a_part_that_was_looked_at_is_ready_with_its_words(health):
    async def look() -> str:
        return "1.0 GB free"

    part = health.add("disk", look)
    before = part.state
    health.start()
    await eventually(lambda: part.state == "ready")
    assert ("unknown", "1.0 GB free") == (before, part.detail)


@pytest.mark.parametrize(
    ("raised", "state", "code"),
    [
        (XnaiError(INTERNAL), "down", "internal"),
        (PartDegraded(XnaiError(DISK_LOW, free="1 MB", kept="none")), "degraded", "disk_low"),
        (OSError(errno.EIO, "secret path"), "down", "part_failed"),
    ],
)
async def test_what_a_look_raises_is_the_state_with_a_code(health, raised, state, code):
    async def look() -> str:
        raise raised

    part = health.add("part", look)
    health.start()
    await eventually(lambda: part.state != "unknown")
    assert (state, code, code) == (part.state, part.error.code, part.last_error)
    assert "secret" not in part.detail


async def test_a_look_that_hangs_makes_its_part_down_and_is_not_repeated(health):
    begun, gate = [], asyncio.Event()

    async def look() -> str:
        begun.append(1)
        await gate.wait()
        return ""

    part = health.add("index", look)
    health.start()
    await eventually(lambda: part.state == "down")
    since = part.since
    await stays(lambda: ("part_silent", 1, since) == (part.error.code, len(begun), part.since))

    gate.set()
    await eventually(lambda: part.state == "ready")
    assert part.error is None
    assert "part_silent" == part.last_error
    assert part.last_error_at > 0


async def test_a_part_that_hangs_holds_up_neither_the_others_nor_the_end():
    health, gate = Health(**QUICK), threading.Event()

    async def stuck() -> str:
        await in_thread(gate.wait)
        return ""

    async def well() -> str:
        return ""

    silent, other = health.add("disk", stuck), health.add("index", well)
    health.start()
    await eventually(lambda: silent.state == "down" and other.state == "ready")
    async with asyncio.timeout(PATIENCE):
        await health.stop()
    gate.set()


async def test_a_part_added_while_others_are_looked_at_is_looked_at_too(health):
    async def look() -> str:
        return "late"

    health.start()
    part = health.add("history", look)
    await eventually(lambda: part.state == "ready")


async def test_the_disk_tells_the_room_that_is_left_and_a_folder_that_is_gone(health, tmp_path):
    there = health.add("disk", disk_look(tmp_path, lambda: ""))
    gone = health.add("gone", disk_look(tmp_path / "gone", lambda: ""))
    health.start()
    await eventually(lambda: "unknown" not in {there.state, gone.state})
    assert there.detail.endswith("free")
    assert ("down", "part_failed") == (gone.state, gone.error.code)


@pytest.mark.slow
async def test_an_embedder_whose_threads_are_stuck_is_told_and_comes_back(health, tmp_path):
    gate = threading.Event()
    embedder = OnnxEmbedder(Settings(_env_file=None, data_dir=tmp_path))
    await embedder.start()
    await embedder.ready()

    async def embed() -> str:
        await embedder.embed_question("Are you there?")
        return ""

    part = health.add("embedder", embed, limit=5.0)
    health.start()
    await eventually(lambda: part.state == "ready")
    stuck = [embedder._questions.submit(gate.wait) for _ in range(64)]
    await eventually(lambda: part.state == "down")
    assert "part_silent" == part.error.code
    gate.set()
    await eventually(lambda: part.state == "ready")
    await health.stop()
    await embedder.close()
    assert all(one.result() for one in stuck)
