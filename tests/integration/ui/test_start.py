import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from paths import ROOT
from ui_client import FIRST_KEY, KEYS, Server, tidy_up

from rig.processes import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tidy() -> AsyncIterator[None]:
    yield
    await tidy_up()


@pytest_asyncio.fixture(name="elsewhere", scope="module", loop_scope="module")
async def elsewhere_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server at another address: the host of the settings, the port of the command line."""
    folder, port = tmp_path_factory.mktemp("elsewhere"), free_port()
    server = Server(
        folder, "--port", str(port), XNAI_HOST="127.0.0.2", XNAI_API_KEYS=",".join(KEYS)
    )
    server.host, server.port = "127.0.0.2", port
    async with server:
        yield server


async def test_the_settings_are_honoured_and_chainlits_own_options_win(elsewhere: Server):
    answer = await elsewhere.stranger().get("/auth/config")
    assert answer.json()["passwordAuth"] is True


async def test_the_printed_address_is_the_one_that_is_listened_on(elsewhere: Server):
    assert f"available at {elsewhere.url}\n" in elsewhere.log


async def test_wrong_keys_are_refused_and_then_slowed_down(elsewhere: Server):
    client = elsewhere.stranger()
    form = {"username": "me", "password": "wrong"}
    answers = [await client.post("/login", data=form) for _ in range(11)]
    right = await client.post("/login", data={**form, "password": FIRST_KEY})
    no_form = await client.post("/auth/header")
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert (right.status_code, no_form.status_code) == (200, 400)


async def test_other_machines_are_not_let_in_without_a_key(tmp_path: Path):
    server = Server(tmp_path, "--host", "0.0.0.0")
    with pytest.raises(AssertionError, match=r"XNAI_HOST=0\.0\.0\.0 would let other machines in"):
        async with server:
            pass
    server.stop(signal.SIGKILL)


async def started(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What `chainlit run app.py` says when it does not go on running."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "chainlit", "run", str(ROOT / "app.py"), "--headless"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_port_that_is_taken_is_named_in_one_sentence(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await started(tmp_path, XNAI_PORT=str(port), XNAI_DATA_DIR=str(tmp_path / "data"))
    assert f"XNAi cannot start: 127.0.0.1:{port} cannot be listened on" in ended.stderr
    assert f"XNAI_PORT={port + 1}" in ended.stderr
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)


async def test_a_data_folder_that_cannot_be_written_is_named_in_one_sentence(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    ended = await started(tmp_path, XNAI_DATA_DIR=str(file / "data"), XNAI_PORT=str(free_port()))
    assert f"XNAi cannot start: XNAI_DATA_DIR={file}/data cannot be written" in ended.stderr
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
