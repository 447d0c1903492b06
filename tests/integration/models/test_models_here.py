"""`xnai models list | use | delete` on the models of this machine."""

import json
import os
import shutil
import subprocess
import sys

import httpx
import pytest
from paths import ROOT

from xnai.llm.gguf.catalogue import BUNDLED_NAME, bundled_path
from xnai.models.catalogue import shipped


def models(folder, *arguments: str, **environment: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    folders = {"XNAI_MODELS_DIR": str(folder / "models"), "XNAI_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", "models", *arguments],
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
    assert {"broken", "second", BUNDLED_NAME} == {name for name in rows if rows[name]["here"]}
    assert {one.name for one in shipped().models} <= set(rows)
    assert [BUNDLED_NAME] == [name for name, row in rows.items() if row["default"]]
    second = rows["second"]
    assert ("Q4_1", 8192, True) == (second["quantisation"], second["trained"], second["fits"])
    assert 134_515_008 == second["parameters"]
    assert second["size"] < second["memory"]
    assert "not a GGUF" in rows["broken"]["problem"]


def test_the_list_tells_of_the_catalogue_what_it_needs_and_where_it_comes_from(folder):
    rows = {row["name"]: row for row in json.loads(models(folder, "--json").stdout)}
    carried, hub_only = rows["qwen2.5-coder-0.5b-instruct-q4_k_m"], rows["Qwen3-1.7B-Q4_K_M"]
    assert (carried["here"], carried["tried"], carried["needs_hub"]) == (False, True, False)
    assert (carried["licence"], carried["size"]) == ("Apache-2.0", 491_400_064)
    assert "de" in carried["languages"]
    assert (hub_only["tried"], hub_only["needs_hub"]) == (False, True)
    assert rows["ms-marco-MiniLM-L-12-v2-int8"]["kind"] == "reranker"
    assert sum(row["recommended"] for row in rows.values()) <= 1
    lines = models(folder).stdout.splitlines()
    (line,) = (line for line in lines if "Qwen3-1.7B" in line)
    assert line.startswith("- ")
    assert "not tried; from a hub only" in line


def test_the_bundled_model_has_a_short_name(folder):
    rows = json.loads(models(folder, "--json", XNAI_MODEL="bundled").stdout)
    assert (rows[0]["name"], rows[0]["default"]) == (BUNDLED_NAME, True)


def test_a_name_that_nobody_knows_is_told_with_those_that_are_known(folder):
    done = models(folder, "get", "nothing")
    assert done.returncode == 2
    assert "qwen2.5-coder-1.5b-instruct-q4_k_m" in done.stderr


def test_what_only_a_hub_has_is_not_to_be_had_without_one(folder):
    for name in ("Qwen3-1.7B-Q4_K_M", "someone/Other-GGUF"):
        done = models(folder, "get", name, XNAI_HUB="off")
        assert done.returncode == 2
        assert "off" in done.stderr
    assert not (folder / "models" / ".download").exists()


def test_a_model_is_deleted_only_when_that_is_confirmed(folder):
    path = folder / "models" / "second.gguf"
    asked = models(folder, "delete", "second")
    assert (asked.returncode, path.exists()) == (1, True)
    assert "--yes" in asked.stderr
    done = models(folder, "delete", "second", "--yes", "--json")
    assert json.loads(done.stdout) == {"name": "second", "deleted": str(path)}
    assert not path.exists()


def test_only_what_lies_in_the_models_folder_is_deleted(folder):
    mine = folder / "mine.gguf"
    shutil.copy(bundled_path(), mine)
    for name in ("bundled", "mine", "../mine", "missing"):
        done = models(folder, "delete", name, "--yes", XNAI_MODEL=str(mine))
        assert done.returncode == 2, name
    assert mine.exists()
    assert bundled_path().exists()


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
