"""What happens when a build of the engine does not work here, from first start to an answer.

A shim that is preloaded into the engine's processes makes a build fail; the environment is one of
the test's own, with all that this one has but an engine.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from engine_environment import make_environment
from paths import SUPPORT

from rig.waiting import wait_until
from rig.whole_server import Server
from xnai.llm.build import record
from xnai.llm.build.inputs import wheel_key
from xnai.llm.build.ladder import steps
from xnai.settings import Settings

# A build is compiled: minutes, where other tests run beside it.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

BUILD_SECONDS = 900


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The compiled shim."""
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = SUPPORT / "engine_shim" / "shim.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A data folder that keeps this machine's best build, as `make test` made it, and no trial."""
    here = Settings().data_dir / "engine" / wheel_key(steps()[0], "")
    folder = tmp_path_factory.mktemp("kept")
    copy = folder / "engine" / here.name
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("self-test-*"))
    return folder


@pytest.fixture(scope="module")
def fallen(tmp_path_factory, kept, shim):
    """The environment and data folder of a build whose first step crashed: the next is compiled."""
    folder = tmp_path_factory.mktemp("fallen")
    python = make_environment(folder)
    data = folder / "data"
    shutil.copytree(kept, data)
    done = build(python, data, shim, "crash")
    assert 0 == done.returncode, done.stdout + done.stderr
    return python, data, done


def build(python, data, shim, fault, name="", **environment: str):
    """Have the engine built in an environment where ``name``, unset the first step, fails."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    faults = {
        "GGML_SHIM_BUILD": name or steps()[0].name,
        "GGML_SHIM_FAULT": fault,
        "LD_PRELOAD": str(shim),
    }
    return subprocess.run(
        [python, "-m", "xnai.llm.build"],
        cwd=data.parent,
        env={**inherited, **faults, "XNAI_DATA_DIR": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )


def installed(python):
    """The record of an environment."""
    code = "from xnai.llm.build import record; print(record.read_installed())"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return eval(done.stdout, vars(record))


def serve(python, data, shim, **environment: str) -> Server:
    server = Server(data.parent, {"XNAI_DATA_DIR": str(data), "LD_PRELOAD": str(shim)})
    server.environment |= environment
    server.start(command=("-m", "xnai.cli.main", "serve"), python=str(python))
    return server


def ask(server) -> str:
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120)
    assert 200 == answer.status_code, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def until_build(server, name):
    """Wait until another build answers."""
    wait_until(lambda: server.wait(model="ready")["engine"]["build"] == name, name, 120)


def test_a_build_that_crashes_is_followed_by_the_next_which_answers(fallen, shim):
    python, data, done = fallen
    first, second = steps()[:2]

    assert f"the build for {first.words} crashed in its self-test (SIGILL) (bundled)" in done.stdout
    assert second.name == installed(python).build
    server = serve(python, data, shim, GGML_SHIM_BUILD=first.name, GGML_SHIM_FAULT="crash")
    try:
        health = server.wait(model="ready")
        assert ask(server)
    finally:
        server.stop()
    told = f"built for {second.words}: the build for {first.words} crashed in its self-test"
    assert second.name == health["engine"]["build"]
    assert "passed" == health["engine"]["self_test"]
    assert told in health["engine"]["detail"]
    doctor = subprocess.run(
        [python, "-m", "xnai.cli.main", "doctor"],
        cwd=data.parent,
        env={**os.environ, "XNAI_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert told in " ".join(doctor.split())


def test_a_build_that_failed_is_not_tried_again_unless_it_is_named(fallen, shim):
    python, data, _ = fallen
    first, second = steps()[:2]
    again = build(python, data, shim, "crash", XNAI_ENGINE_BUILD=first.name)
    restored = build(python, data, shim, "crash")

    assert 1 == again.returncode
    assert f"the build for {first.words} crashed in its self-test" in again.stderr
    assert "Leave XNAI_ENGINE_BUILD unset" in again.stderr
    assert 0 == restored.returncode, restored.stderr
    assert "testing" not in restored.stdout
    assert second.name == installed(python).build


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong", "computed wrong numbers (bundled, "),
        ("crash", "crashed in its self-test (SIGILL)"),
    ],
)
def test_a_build_with_this_fault_fails_its_self_test(tmp_path, kept, shim, fault, words):
    python = make_environment(tmp_path)
    shutil.copytree(kept, tmp_path / "data")
    done = build(python, tmp_path / "data", shim, fault, XNAI_ENGINE_BUILD=steps()[0].name)

    assert 1 == done.returncode
    assert words in done.stderr
    assert installed(python) is None


def test_an_engine_that_begins_to_crash_at_work_is_tested_again_and_replaced(
    fallen, kept, shim, tmp_path
):
    """The self-test at the first start passes; then the processor, or the file, changes."""
    _, data, _ = fallen
    first, second = steps()[:2]
    shutil.copytree(kept, tmp_path / "data")
    shutil.copytree(
        data / "engine" / wheel_key(second, ""),
        tmp_path / "data" / "engine" / wheel_key(second, ""),
    )
    trigger = tmp_path / "now"
    environment = {
        "GGML_SHIM_BUILD": first.name,
        "GGML_SHIM_FAULT": "crash",
        "GGML_SHIM_WHEN": str(trigger),
    }
    server = serve(make_environment(tmp_path), tmp_path / "data", shim, **environment)
    try:
        assert first.name == server.wait(model="ready")["engine"]["build"]
        trigger.touch()
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
        httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120)
        until_build(server, second.name)
        assert ask(server)
    finally:
        server.stop()


def test_a_data_folder_from_another_processor_gets_a_build_for_this_one(fallen, shim):
    python, data, _ = fallen
    second = steps()[1]
    path = Path(python).parent.parent / ".engine.json"
    path.write_text(path.read_text().replace('"machine": "', '"machine": "other-'))
    done = build(python, data, shim, "crash")

    assert 0 == done.returncode, done.stderr
    now = installed(python)
    assert (second.name, False) == (now.build, now.machine.startswith("other-"))


def test_the_interpreter_of_the_tests_is_not_touched():
    assert sys.prefix in str(record.installed_path())
