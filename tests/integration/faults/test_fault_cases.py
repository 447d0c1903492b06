"""Every place in the program where an error is made is reached, and every code is met.

The places are read from the source; which of them a case reaches is told by recorders in all the
processes. The cases use the real parts, and real faults: broken files, dead ports, killed and
stopped processes, requests that no client should send.
"""

import os

import agent_cases
import document_cases
import http_cases
import model_cases
import operator_cases
import pytest
import start_cases
from borders import ROOT, sites
from fault_server import COMMAND, client_of, make_server
from steps import Judge, Visit, settle_in
from ui_client import KEYS

from xnai.errors import CATALOGUE

AIM = 0.95
pytestmark = pytest.mark.engine


async def over_http(server, judge, tmp_path, book):
    async with client_of(server) as client:
        visit = Visit(server, client, judge)
        await settle_in(visit)
        await http_cases.requests(visit)
        await http_cases.programs(visit)
        await http_cases.page(visit, server)
        await http_cases.paused(visit)
        await http_cases.real_faults(visit, server)
        dead = {
            "XNAI_API_KEYS": ",".join(KEYS),
            "XNAI_LLM_URL": "http://127.0.0.1:1,http://127.0.0.1:2",
            "XNAI_REDIS_URL": "redis://127.0.0.1:1",
            "XNAI_HUB": "off",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:1",
        }
        keyed = make_server(tmp_path / "keyed", book, **dead)
        keyed.start(COMMAND)
        try:
            keyed.wait(status="ready")
            await http_cases.keyed(keyed, judge)
            async with client_of(keyed) as others:
                ready = (await others.get("/health/ready")).json()
            book.note(str(ROOT / "xnai"), 0, ready["dependencies"]["redis"]["error_code"])
        finally:
            keyed.stop()


@pytest.mark.timeout(900)  # every command in a process of its own, on a busy machine
async def test_every_place_that_makes_an_error_is_reached_and_every_code_is_met(
    server, book, tmp_path, tell, capsys
):
    judge = Judge()
    with pytest.MonkeyPatch.context() as patch:
        await over_http(server, judge, tmp_path, book)
        for cases in ("documents", "models", "operators", "agents", "start"):
            (tmp_path / cases).mkdir()
        await document_cases.all_cases(tmp_path / "documents")
        await model_cases.all_cases(tmp_path / "models", patch)
        await operator_cases.all_cases(tmp_path / "operators", patch)
        await agent_cases.all_cases(tmp_path / "agents", patch)
        await start_cases.all_cases(tmp_path / "start", patch, book, server.port, capsys)
    async with client_of(server) as client:
        await http_cases.stopping(server, Visit(server, client, judge))
    made = book.made
    places = sites()
    missed = [
        site.name
        for site in places
        if not any(f == site.file and site.first <= line <= site.last for f, line, _ in made)
    ]
    share = 1 - len(missed) / len(places)
    codes = {code for _, _, code in made}
    tell(f"{len(places) - len(missed)} of {len(places)} places reached ({share:.1%}); ")
    tell(f"{len(codes)} of {len(CATALOGUE)} codes met; missed: {missed}")
    assert judge.problems == []
    assert set(CATALOGUE) - codes == set()
    assert share >= AIM
