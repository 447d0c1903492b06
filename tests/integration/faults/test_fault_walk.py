"""Every fault at every border ends in one catalogued error, or in an answer that says so.

The doors are derived from the code: every method of every Protocol of the program, and of the
classes that touch disk, history and the parser's process.
"""

import asyncio

import httpx
import pytest
from api_server import serving
from borders import BORDERS, NO_BORDER, open_doors, protocols
from doors import doors
from fault_server import client_of
from frame_options import OPTIONS
from model_folders import embedding_model
from steps import Judge, settle_in
from walk import AT_START, OF_LARGER_MODELS, Walk, all_points

import xnai.runtime
from xnai.cli.errors import catalogued
from xnai.errors import XnaiError
from xnai.llm.gguf.catalogue import bundled_path
from xnai.settings import Settings

AIM = 0.95
pytestmark = pytest.mark.engine


def test_every_protocol_is_a_border_or_none_for_a_reason():
    kept = {name for _, _, names in BORDERS.values() for name in names}
    assert set(protocols()) == kept | set(NO_BORDER)


async def test_every_fault_at_every_border_ends_in_one_catalogued_error(server, tell):
    async with client_of(server) as client:
        walk = Walk(server, client)
        await settle_in(walk.visit)
        await walk.explore()
        assert walk.judge.problems == []
        await walk.go()
    points = all_points() - AT_START - OF_LARGER_MODELS
    wanted = {(p, f) for p in points for f in walk.faults(p)}
    share = len(walk.covered & wanted) / len(wanted)
    tell(f"\n{len(walk.covered)} of {len(wanted)} faults at borders let in: {share:.1%}; ")
    tell(f"{walk.judge.ends} ends; left out: {sorted({p for p, _ in wanted - walk.covered})}")
    assert walk.judge.problems == []
    assert share >= AIM


@pytest.mark.parametrize("fault", ["search", "runtime"])
@pytest.mark.parametrize("point", sorted(AT_START))
async def test_a_fault_at_the_start_leaves_a_server_that_says_so(
    point, fault, tmp_path, monkeypatch
):
    open_doors(monkeypatch.setattr, OPTIONS)
    chosen = {
        "data_dir": tmp_path / "data",
        "embedder": str(embedding_model(tmp_path / "embedder")),
        "model": str(tmp_path / "small.gguf"),
        "answer_timeout": 1.0,
    }
    (tmp_path / "small.gguf").symlink_to(bundled_path())
    judge = Judge(f"{point} {fault} at the start")
    doors.open(point, fault)
    refusal = None
    try:
        runtime = xnai.runtime.Runtime(Settings(_env_file=None, **chosen))
    except (XnaiError, RuntimeError) as exc:
        refusal = catalogued(exc)
    hits = doors.hits
    if refusal is not None:  # the server does not start, and says so in words
        assert refusal.code == {"search": "search_down", "runtime": "command_failed"}[fault]
        return
    await runtime.start()
    await asyncio.gather(runtime._opening, return_exceptions=True)
    assert hits or doors.hits
    doors.shut()
    async with serving(runtime) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        ready = await client.get("/health/ready")
        judge.text("/health/ready", ready.text)
        judge.response(await client.get("/v1/files"))
        body = {"messages": [{"role": "user", "content": "hello"}], "retrieval": False}
        judge.response(await client.post("/v1/chat/completions", json=body))
    await runtime.stop()
    assert judge.problems == []
