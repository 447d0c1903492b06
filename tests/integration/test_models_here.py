"""`xnai models list | use | optimize` on the models of this machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from xnai.llm.files import BUNDLED_NAME, bundled_path

ROOT = Path(__file__).resolve().parents[2]


def models(folder, *arguments: str, **environment: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    folders = {"XNAI_MODELS_DIR": str(folder / "models"), "XNAI_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-m", "xnai.cli", "models", *arguments],
        env={**inherited, **folders, "XNAI_PORT": "9", "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with a second model, and one that is none."""
    (tmp_path / "models").mkdir()
    shutil.copy(bundled_path(), tmp_path / "models" / "second.gguf")
    (tmp_path / "models" / "broken.gguf").write_bytes(b"not a model")
    return tmp_path


@pytest.mark.parametrize("command", [("--json",), ("list", "--json")])
def test_the_list_tells_what_each_model_is_and_whether_it_fits(folder, command):
    rows = {row["name"]: row for row in json.loads(models(folder, *command).stdout)}
    assert {"broken", "second", BUNDLED_NAME} == set(rows)
    assert [BUNDLED_NAME] == [name for name, row in rows.items() if row["default"]]
    second = rows["second"]
    assert ("Q4_1", 8192, True) == (second["quantisation"], second["trained"], second["fits"])
    assert 134_515_008 == second["parameters"]
    assert second["size"] < second["memory"]
    assert "not a GGUF" in rows["broken"]["problem"]


def test_the_list_for_people_marks_the_default(folder):
    lines = models(folder, XNAI_MODEL="second").stdout.splitlines()
    assert lines[0].startswith("* second")
    assert "fits" in lines[0]
    assert any(line.startswith("  broken") and "not a GGUF" in line for line in lines)


def test_the_choice_goes_into_env_and_leaves_all_else_as_it_was(folder):
    env = folder / ".env"
    env.write_text("# mine\nXNAI_PORT=9\nXNAI_MODEL=old\n\nOTHER='a b'\n")
    env.chmod(0o600)
    done = models(folder, "use", "second")
    assert 0 == done.returncode, done.stderr
    assert "No server runs" in done.stdout
    lines = env.read_text().splitlines()
    assert ["# mine", "XNAI_PORT=9", "XNAI_MODEL=second", "", "OTHER='a b'"] == lines
    assert 0o600 == env.stat().st_mode & 0o777
    first = json.loads(models(folder, "--json").stdout)[0]
    assert ("second", True) == (first["name"], first["default"])


def test_a_name_that_cannot_be_used_changes_nothing(folder):
    for name in ("missing", "broken", "../models/second"):
        done = models(folder, "use", name)
        assert 2 == done.returncode
        assert "Traceback" not in done.stderr
    assert not (folder / ".env").exists()


def test_a_variable_that_comes_first_is_told(folder):
    done = models(folder, "use", "second", XNAI_MODEL=BUNDLED_NAME)
    assert f"XNAI_MODEL={BUNDLED_NAME} is set here" in done.stdout


@pytest.mark.engine
def test_a_server_that_runs_is_switched_at_once(server, folder):
    own = type(server)(folder, {"XNAI_MODELS_DIR": str(folder / "models")})
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, folder / "data" / name)
    own.start()
    try:
        own.wait(model="ready")
        done = models(folder, "use", "second", XNAI_PORT=str(own.port))
        assert "uses it now" in done.stdout, done.stdout + done.stderr
        assert "second" == httpx.get(f"{own.url}/v1/models").json()["default"]
    finally:
        own.stop()


@pytest.mark.engine
def test_a_copy_for_this_processor_is_made_measured_and_put_beside_the_original(folder):
    before = (folder / "models" / "second.gguf").read_bytes()
    done = models(folder, "optimize", "second", "--keep", "--json")
    assert 0 == done.returncode, done.stderr
    gain = json.loads(done.stdout)
    for side in ("before", "after"):
        assert gain[side]["prefill"] > 0
        assert gain[side]["decode"] > 0
    assert gain["prefill_ratio"] == gain["after"]["prefill"] / gain["before"]["prefill"]
    assert before == (folder / "models" / "second.gguf").read_bytes()
    rows = {row["name"]: row for row in json.loads(models(folder, "--json").stdout)}
    assert "Q8_0" == rows["second-Q8_0"]["quantisation"]
    assert gain["size_after"] == rows["second-Q8_0"]["size"]

    again = models(folder, "optimize", "second")
    already = models(folder, "optimize", "second-Q8_0")
    assert [2, 2] == [again.returncode, already.returncode]
    assert "is there already" in again.stderr
    assert "Q8_0 already" in already.stderr
