"""`xnai models get` against a stand-in hub: what arrives is whole, or it is said why not."""

import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys

import pytest
from hub_server import HubServer
from paths import ROOT

from rig.waiting import wait_until

REPOSITORY = "someone/Small-GGUF"
LIMIT = 90  # seconds on a busy machine


def gguf(size, seed=1):
    """A file with the header of a model without tensors, and so many bytes in all."""
    name, value = b"general.architecture", b"llama"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    head += struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, len(value)) + value
    return head + random.Random(seed).randbytes(size - len(head))


MODEL = gguf(25_000_000)
SMALL = gguf(300_000, 2)


def start(folder, hub, *arguments: str, limit=None, **environment: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("XNAI_", "HF_"))}
    own = {"HF_ENDPOINT": hub if isinstance(hub, str) else hub.url, "HF_HOME": str(folder / "hf")}
    folders = {"XNAI_MODELS_DIR": str(folder / "models"), "XNAI_DATA_DIR": str(folder / "data")}

    def bounded() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "xnai.cli.main", "models", *arguments],
        env={**inherited, **own, **folders, "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=bounded,  # noqa: PLW1509 - one call into libc, no lock taken
    )


def get(folder, hub, name, *options: str, **more):
    process = start(folder, hub, "get", name, *options, **more)
    output, errors = process.communicate(timeout=LIMIT)
    assert "Traceback" not in errors, errors
    assert "secret words" not in output + errors
    return process.returncode, output, errors


def parts(folder):
    return list((folder / "models" / ".download").glob("*.part"))


def test_the_file_that_is_named_arrives_whole_with_its_progress(tmp_path):
    files = {"Small-Q4_K_M.gguf": SMALL, "Small-Q8_0.gguf": MODEL, "README.md": b"words"}
    with HubServer({REPOSITORY: files}) as hub:
        code, output, errors = get(tmp_path, hub, f"{REPOSITORY}:q8_0")
        asked = {path for _, path, _ in hub.asked}
    arrived = tmp_path / "models" / "Small-Q8_0.gguf"
    assert (0, MODEL) == (code, arrived.read_bytes())
    assert "next: xnai models use Small-Q8_0" in output
    assert "40 %" in errors
    assert "100 %" in errors
    assert [] == parts(tmp_path)
    assert {f"/api/models/{REPOSITORY}"} == {path for path in asked if "/resolve/" not in path}


def test_without_a_choice_the_file_for_most_machines_is_taken(tmp_path):
    files = {"S-F16.gguf": MODEL, "S-Q4_K_M.gguf": SMALL, "mmproj-S-Q4_K_M.gguf": MODEL}
    with HubServer({REPOSITORY: files}) as hub:
        code, output, _ = get(tmp_path, hub, REPOSITORY, "--json")
    assert 0 == code
    assert "S-Q4_K_M" == json.loads(output)["name"]


def test_a_download_that_was_interrupted_goes_on_where_it_was(tmp_path):
    files = {REPOSITORY: {"m.gguf": MODEL}}
    with HubServer(files, stall_after=22_000_000) as hub:
        process = start(tmp_path, hub, "get", REPOSITORY)
        assert hub.stalled.wait(LIMIT)
        wait_until(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size, "a part", LIMIT)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT)
        kept = parts(tmp_path)[0].stat().st_size
    assert 130 == process.returncode
    assert "goes on where it was" in errors
    assert not (tmp_path / "models" / "m.gguf").exists()
    with HubServer(files) as hub:
        code, _, _ = get(tmp_path, hub, REPOSITORY)
        assert len(MODEL) - kept == hub.sent
    assert (0, MODEL) == (code, (tmp_path / "models" / "m.gguf").read_bytes())


def test_a_hub_that_dies_is_told_and_the_part_is_kept_for_another_that_lives(tmp_path):
    files = {REPOSITORY: {"m.gguf": MODEL}}
    with HubServer(files, break_after=15_000_000, dies=True) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
    assert 2 == code
    assert "Type the same command again" in errors
    with HubServer(files, ranges=False) as hub:
        again, _, _ = get(tmp_path, hub, REPOSITORY)
    assert (0, MODEL) == (again, (tmp_path / "models" / "m.gguf").read_bytes())


def test_a_connection_that_breaks_once_is_taken_up_again_by_itself(tmp_path):
    with HubServer({REPOSITORY: {"m.gguf": MODEL}}, break_after=12_000_000) as hub:
        process = start(tmp_path, hub, "get", REPOSITORY)
        wait_until(lambda: hub.sent >= 12_000_000, "the break", LIMIT, pace=0.01)
        hub.break_after = None
        _, errors = process.communicate(timeout=LIMIT)
    assert 0 == process.returncode, errors
    assert MODEL == (tmp_path / "models" / "m.gguf").read_bytes()


def test_a_file_that_is_not_what_the_hub_says_is_deleted(tmp_path):
    claims = {"m.gguf": {"sha256": "0" * 64}}
    with HubServer({REPOSITORY: {"m.gguf": SMALL}}, claims=claims) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
    assert (2, []) == (code, parts(tmp_path))
    assert "its sha256 differs" in errors
    assert not (tmp_path / "models" / "m.gguf").exists()


def test_a_file_that_is_no_model_is_deleted(tmp_path):
    with HubServer({REPOSITORY: {"m.gguf": b"<html>not a model</html>"}}) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
    assert (2, []) == (code, parts(tmp_path))
    assert "'m.gguf' is not a GGUF file" in errors


def test_a_repository_that_is_not_there_and_one_that_needs_a_token_are_told(tmp_path):
    files = {REPOSITORY: {"m.gguf": SMALL}}
    with HubServer(files, token="hf_right") as hub:
        missing, _, words = get(tmp_path, hub, "someone/Nothing", HF_TOKEN="hf_right")
        refused, _, hint = get(tmp_path, hub, REPOSITORY)
        let_in, _, _ = get(tmp_path, hub, REPOSITORY, HF_TOKEN="hf_right")
    assert [2, 2, 0] == [missing, refused, let_in]
    assert "has no 'someone/Nothing'" in words
    assert "HF_TOKEN" in hint


def test_the_token_goes_to_the_hub_and_not_to_where_its_files_are(tmp_path):
    files = {REPOSITORY: {"m.gguf": SMALL}}
    with HubServer(files) as store, HubServer(files, token="hf_right", cdn=store.url) as hub:
        # Another host name for the same machine: another origin, as a hub's store is.
        hub.cdn = store.url.replace("127.0.0.1", "localhost")
        code, _, errors = get(tmp_path, hub, REPOSITORY, HF_TOKEN="hf_right")
    assert 0 == code, errors
    assert store.asked
    assert not any("hf_right" in str(headers) for _, _, headers in store.asked)


def test_a_model_that_does_not_fit_on_the_disk_is_refused_before_a_byte_comes(tmp_path):
    claims = {"m.gguf": {"size": 10**16}}
    with HubServer({REPOSITORY: {"m.gguf": SMALL}}, claims=claims) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
        assert 0 == hub.sent
    assert 2 == code
    assert "XNAI_MODELS_DIR" in errors


def test_a_disk_that_fills_up_on_the_way_is_told(tmp_path):
    with HubServer({REPOSITORY: {"m.gguf": MODEL}}) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY, limit=5_000_000)
    assert 2 == code
    assert "The disk is full" in errors


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b/c", "one", "a/..", "/a/b", "a/b:../x.gguf", "a/b:/etc/x", "-a/b"]
)
def test_names_are_never_paths(tmp_path, name):
    arguments = ("--", name) if name.startswith("-") else (name,)
    process = start(tmp_path, "http://127.0.0.1:9", "get", *arguments)
    _, errors = process.communicate(timeout=LIMIT)
    assert 2 == process.returncode
    assert "owner/repository" in errors
    assert [] == list(tmp_path.iterdir())


def test_files_with_names_that_lead_elsewhere_are_not_there(tmp_path):
    hostile = {"../evil.gguf": SMALL, "a/../../x.gguf": SMALL, ".hidden.gguf": SMALL}
    with HubServer({REPOSITORY: {**hostile, "a\\b.gguf": SMALL, "x\n.gguf": SMALL}}) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
        assert 0 == hub.sent
    assert 2 == code
    assert "(none)" in errors


def test_another_file_of_that_name_is_replaced_only_when_told_to(tmp_path):
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "m.gguf"
    path.write_bytes(b"mine")
    with HubServer({REPOSITORY: {"m.gguf": SMALL}}) as hub:
        refused, _, errors = get(tmp_path, hub, REPOSITORY)
        kept = path.read_bytes()
        replaced, _, _ = get(tmp_path, hub, REPOSITORY, "--yes")
        sent = hub.sent
        again, output, _ = get(tmp_path, hub, REPOSITORY)
        assert sent == hub.sent
    assert ([2, 0, 0], b"mine", SMALL) == ([refused, replaced, again], kept, path.read_bytes())
    assert "--yes" in errors
    assert "was there already" in output


def test_a_models_folder_that_cannot_be_one_is_told(tmp_path):
    (tmp_path / "models").write_text("")
    with HubServer({REPOSITORY: {"m.gguf": SMALL}}) as hub:
        code, _, errors = get(tmp_path, hub, REPOSITORY)
    assert 2 == code
    assert "cannot be used" in errors


def test_all_parts_of_a_split_model_come(tmp_path):
    names = [f"big/m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    with HubServer({REPOSITORY: {name: gguf(50_000, n) for n, name in enumerate(names)}}) as hub:
        code, output, errors = get(tmp_path, hub, f"{REPOSITORY}:{names[0]}", "--json")
    assert 0 == code, errors
    assert 3 == len(list((tmp_path / "models").glob("m-*.gguf")))
    assert "m-00001-of-00003" == json.loads(output)["name"]
