import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(bootstrap.__file__).parent
LOCKS = sorted((ROOT / "locks").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(lock):
    return bootstrap.REQUIREMENT.findall(lock.read_text())


def canonical(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", name)[0]).lower()


def pins(lock):
    """(name, version and marker) of each requirement of a lock."""
    return {tuple(block.split(" \\")[0].split("==", 1)) for block in requirements(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_requirement_is_pinned_with_hashes(lock):
    blocks = requirements(lock)

    assert [] == [block for block in blocks if "==" not in block or "--hash=sha256:" not in block]
    assert blocks


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_names_an_index_or_an_address(lock):
    assert not re.search(r"://|--index|--find-links|--extra", lock.read_text())


def test_there_is_a_lock_for_the_dependencies_and_for_each_group():
    assert {"runtime", *PROJECT["dependency-groups"]} == {lock.stem for lock in LOCKS}


@pytest.mark.parametrize("group", ["runtime", *PROJECT["dependency-groups"]])
def test_each_lock_holds_all_that_is_asked_for(group):
    wanted = PROJECT["project"]["dependencies"]
    if group != "runtime":
        wanted = PROJECT["dependency-groups"][group]

    locked = {canonical(name) for name, _ in pins(ROOT / "locks" / f"{group}.lock")}

    assert set() == {canonical(name) for name in wanted} - locked


def test_development_uses_the_versions_that_run():
    runtime = dict(pins(ROOT / "locks" / "runtime.lock"))
    dev = pins(ROOT / "locks" / "dev.lock")

    def version(pin) -> str:
        return pin.split(" ")[0]

    assert [] == [n for n, pin in dev if n in runtime and version(pin) != version(runtime[n])]


def test_what_is_left_out_is_in_no_lock():
    left_out = {canonical(line) for line in PROJECT["tool"]["uv"]["override-dependencies"]}

    locked = {canonical(name) for lock in LOCKS for name, _ in pins(lock)}

    assert set() == left_out & locked


def test_no_tracked_file_names_a_package_index():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    # Put together here, so that this file is not found by its own test.
    index = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npm"]))

    naming = []
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and index.search(path.read_text("utf-8", "ignore")):
            naming.append(name)

    assert [] == naming
