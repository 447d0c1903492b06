import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(bootstrap.__file__).parent


@pytest.fixture
def environment(tmp_path):
    """A tree with the real locks and an environment that looks finished."""
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    for name in ("pyproject.toml", "bootstrap.py"):
        shutil.copy(ROOT / name, tmp_path)
    made = bootstrap.Environment(tmp_path)
    made.python.parent.mkdir(parents=True)
    made.python.touch()
    (made.path / ".installed-runtime").write_text(made.digest("runtime"), "ascii")
    return made


def test_a_finished_environment_is_left_alone(environment):
    bootstrap.prepare(["runtime"], environment)

    assert environment.has("runtime")


def test_a_changed_lock_makes_a_group_outdated(environment):
    with (environment.root / "locks" / "models.lock").open("a") as lock:
        lock.write("# changed\n")

    assert not environment.has("runtime")


def test_a_changed_entry_point_makes_a_group_outdated(environment):
    project = environment.root / "pyproject.toml"
    project.write_text(project.read_text().replace("xnai.cli.main:main", "xnai.cli.main:other"))

    assert not environment.has("runtime")


def test_a_change_of_the_linters_rules_reinstalls_nothing(environment):
    project = environment.root / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 100", "line-length = 99"))

    assert environment.has("runtime")


def test_an_interrupted_install_is_not_used(environment):
    (environment.path / ".unfinished").touch()

    assert not environment.has("runtime")
    assert not environment.is_clean()


def test_an_environment_whose_python_is_gone_is_not_used(environment):
    environment.python.unlink()
    environment.python.symlink_to("/no/such/python")

    assert not environment.has("runtime")


def test_a_moved_environment_is_not_used(environment, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "tree"
    shutil.move(environment.root, moved)

    assert not bootstrap.Environment(moved).has("runtime")


def test_a_group_is_added_to_a_whole_environment(environment):
    assert environment.is_clean()
    assert not environment.has("dev")


def test_shares_hold_every_requirement_once():
    requirements = [f"package-{n}==1 " + "h" * n for n in range(50)]

    dealt = bootstrap.shares(requirements, 3)

    assert sorted(requirements) == sorted(one for share in dealt for one in share)
    assert 3 == len(dealt)


def test_shares_are_about_equally_heavy():
    weights = [
        sum(map(len, share)) for share in bootstrap.shares(["x" * n for n in range(1, 101)], 3)
    ]

    assert max(weights) - min(weights) <= 100


def test_a_failed_command_shows_its_last_lines_and_what_to_do():
    script = "print('Collecting numpy'); print('[Errno 28] No space left on device'); exit(1)"

    with pytest.raises(bootstrap.SetupError, match=r"(?s)Collecting numpy.*The disk is full"):
        bootstrap.run([sys.executable, "-c", script])


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("NewConnectionError: Failed to establish", "check the network"),
        ("Temporary failure in name resolution", "check the network"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that was pinned"),
        ("something else", "The set-up failed"),
    ],
)
def test_advice_fits_the_failure(log, said):
    assert said in bootstrap.advice(log)


def test_a_second_set_up_waits_for_the_first(environment):
    entered = threading.Event()

    def second() -> None:
        with bootstrap.alone(environment.root):
            entered.set()

    with bootstrap.alone(environment.root):
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.1)
    other.join(timeout=5)

    assert entered.is_set()


def _make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_every_command():
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))

    listed = {line.split()[0] for line in _make().stdout.splitlines() if line.startswith("  ")}

    assert set(phony.split()[1:]) == listed


def test_make_says_so_when_the_named_python_is_not_there():
    result = _make("run", "PYTHON=/no/such/python")

    assert "/no/such/python is not there" in result.stderr
    assert "make run PYTHON=" in result.stderr


def test_make_says_so_when_the_named_python_is_too_old(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18 || exit 1\n')
    old.chmod(0o755)

    result = _make("setup", f"PYTHON={old}")

    assert f"needs Python 3.11, 3.12 or 3.13; {old} is Python 3.9.18" in result.stderr
