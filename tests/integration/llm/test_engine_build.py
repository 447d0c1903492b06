"""Builds in an environment of their own, against a registry that is not there or never answers."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from engine_environment import make_environment
from paths import ROOT

from rig.waiting import wait_until
from xnai.llm.build.inputs import wheel_key
from xnai.llm.build.ladder import steps
from xnai.settings import Settings

NOWHERE = "http://127.0.0.1:1/simple"


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def start(environment, data):
    """Start a build; whatever still runs is killed after the test."""
    started = []

    def begin(registry=NOWHERE, **changes: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "XNAI_"))}
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": registry, "PIP_RETRIES": "0"}
        process = subprocess.Popen(
            [environment, "-m", "xnai.llm.build"],
            cwd=data.parent,
            env={**inherited, **pip, "XNAI_DATA_DIR": str(data), **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def ended(processes, seconds=10.0):
    """Whether all the processes end in time."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def scratch(data):
    return list((data / "engine").glob("build-*"))


def test_without_a_network_the_build_says_so_and_keeps_its_log(start, data):
    build = start()
    _, said = build.communicate(timeout=60)

    assert 1 == build.returncode
    assert "could not be fetched from the package registry. Check the network." in said
    assert "cmake" in (data / "logs" / "engine-build.log").read_text()
    assert [] == scratch(data)


def test_without_a_compiler_nothing_is_fetched(start, data, tmp_path):
    build = start(PATH=str(tmp_path), CC="", CXX="")
    _, said = build.communicate(timeout=60)

    assert "there is no C++ compiler on this machine. Install one" in said
    assert "" == (data / "logs" / "engine-build.log").read_text()


def test_a_setting_that_is_not_valid_is_told_in_one_line(start, data):
    build = start(XNAI_ENGINE_BUILD="fastest")
    _, said = build.communicate(timeout=60)

    assert 1 == build.returncode
    assert said.startswith("XNAI_ENGINE_BUILD='fastest' is not valid: it has to be '', 'native'")
    assert 1 == len(said.splitlines())
    assert not data.exists()


def test_a_damaged_kept_wheel_is_not_used(start, data):
    wheel = data / "engine" / wheel_key(steps()[0], "") / "llama_cpp_python-0.3.36-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"half a whe")

    assert "could not be fetched" in start().communicate(timeout=60)[1]


@pytest.fixture
def registry():
    """A registry that takes connections and never answers; yields its address and socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple", server


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_server_ends_its_build_ends_with_it(start, data, registry, how):
    address, server = registry
    build = start(address)
    connection, _ = server.accept()
    family = psutil.Process(build.pid).children(recursive=True)

    build.send_signal(how)

    with connection:
        assert len(family) >= 2
        assert ended(family)
    assert wait_until(lambda: not scratch(data))


def test_compilers_in_process_groups_of_their_own_are_ended_too(tmp_path):
    scratch_folder = tmp_path / "scratch"
    scratch_folder.mkdir()
    like_ninja = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60'], process_group=0);"
        "print(child.pid, flush=True); child.wait()"
    )
    reaper = subprocess.Popen(
        [
            *(sys.executable, ROOT / "xnai" / "llm" / "build" / "reaper.py", "0", scratch_folder),
            *(sys.executable, "-c", like_ninja),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    compiler = psutil.Process(int(reaper.stdout.readline()))
    assert os.getpgid(compiler.pid) != os.getpgid(reaper.pid)

    reaper.stdin.close()

    assert ended([compiler])
    assert 137 == reaper.wait(timeout=10)
    assert not scratch_folder.exists()
    reaper.stdout.close()


def test_a_second_server_waits_for_the_build_of_the_first(start, registry):
    address, server = registry
    first = start(address)
    with server.accept()[0]:
        second = start(address, PYTHONUNBUFFERED="1")

        assert "another server of this environment is compiling it" in second.stdout.readline()
        assert first.poll() is None


@pytest.mark.engine
@pytest.mark.needs("engine_wheel")
def test_a_kept_wheel_is_installed_without_compiling_by_whoever_comes_first(
    start, data, environment
):
    kept = Settings().data_dir / "engine" / wheel_key(steps()[0], "")
    wheels = list(kept.glob("*.whl"))
    shutil.copytree(kept, data / "engine" / wheel_key(steps()[0], ""))

    both = [start(PATH=os.defpath, CXX="no-such-compiler") for _ in range(2)]
    said = [build.communicate(timeout=120) for build in both]

    assert [0, 0] == [build.returncode for build in both], said
    version = [environment, "-c", "import llama_cpp; print(llama_cpp.__version__)"]
    printed = subprocess.run(version, capture_output=True, text=True, check=True).stdout
    assert wheels[0].name.split("-")[1] == printed.strip()
