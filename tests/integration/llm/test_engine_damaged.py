"""An installed engine whose files a disk, or a person, has damaged: no fault of the build."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest
from engine_environment import make_environment

from rig.waiting import wait_until
from rig.whole_server import Server
from xnai.llm.build.inputs import wheel_key
from xnai.llm.build.ladder import steps
from xnai.settings import Settings

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture
def python(tmp_path):
    """An environment with the engine of this one, and a data folder that keeps its wheel."""
    here = Settings().data_dir / "engine" / wheel_key(steps()[0], "")
    shutil.copytree(here, tmp_path / "data" / "engine" / here.name)
    python = make_environment(tmp_path)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    environment = {**inherited, "XNAI_DATA_DIR": str(tmp_path / "data")}
    command = [python, "-m", "xnai.llm.build"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=300)
    return python


@pytest.fixture
def server(tmp_path, python):
    started = Server(tmp_path)
    started.start(python=str(python))
    yield started
    started.stop()


def cut(python):
    """Leave of the part that computes its beginning only."""
    (library,) = Path(python).parents[1].glob("lib/*/site-packages/llama_cpp/lib/libggml-cpu.so.0")
    beginning = library.read_bytes()[:200_000]
    library.unlink()  # what has it open keeps it
    library.write_bytes(beginning)


def worker_of(server):
    assert server.process is not None
    children = psutil.Process(server.process.pid).children(recursive=True)
    return next(one for one in children if "xnai.llm.worker.main" in one.cmdline())


def test_a_damaged_engine_is_installed_again_and_its_build_is_not_blamed(python, server):
    server.wait(model="ready")
    cut(python)
    worker_of(server).kill()
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}

    def answers() -> bool:
        return httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120).is_success

    wait_until(answers, lambda: server.log[-3000:], 300)
    engine = server.health()["engine"]
    assert {"build": steps()[0].name, "self_test": "passed"}.items() <= engine.items()
    assert "engine_damaged" in server.log
    assert "failed" not in engine["detail"]
