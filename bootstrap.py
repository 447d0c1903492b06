"""Bring .venv to what the locks say: `python3 bootstrap.py GROUP...`, standard library only.

Groups are ``runtime`` (what `make run` needs, the bundled models included) and ``dev`` (tests and
linters). Nothing happens when .venv is up to date; anything half-done is made again from scratch.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent
LOCKS = {"runtime": ("runtime.lock", "models.lock"), "dev": ("dev.lock",)}
REQUIREMENT = re.compile(r"(?m)^[A-Za-z0-9].*(?:\n[ \t].*)*")
# Reading package indexes keeps a core busy: more installers than that only wait for each other.
INSTALLERS = max(2, min(4, os.cpu_count() or 2))
# All files come from the locks with their hashes, so nothing needs resolving, and the sources of
# the few packages without a wheel are built with the pinned setuptools.
PIP = "-m pip --disable-pip-version-check --no-input install --no-deps --no-compile"
HASHED = "--require-hashes --no-build-isolation --progress-bar off -r"


class SetupError(Exception):
    """Why the set-up cannot go on, in words for the person who started it."""


class Progress:
    """One line per finished step; on a terminal also the count of the step at work."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def _time(self) -> str:
        return f"  {time.monotonic() - self._start:5.1f} s  "

    def done(self, text: str) -> None:
        """Say that a step is finished."""
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(f"{clear}{self._time()}{text}", flush=True)

    def count(self, verb: str, total: int) -> None:
        """Count one more of ``total`` things that a step goes through."""
        with self._lock:
            self._counts[verb] = self._counts.get(verb, 0) + 1
            if sys.stdout.isatty():
                at = f"{verb} {min(self._counts[verb], total)} of {total}"
                print(f"\r\033[K{self._time()}{at}", end="", flush=True)


class Environment:
    """The virtual environment of one tree."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.path = root / ".venv"
        self.python = self.path / "bin" / "python"
        self._unfinished = self.path / ".unfinished"

    def _stamp(self, group: str) -> Path:
        return self.path / f".installed-{group}"

    def digest(self, group: str) -> str:
        """What the group's installation depends on, as one value."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))["project"]
        interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        facts = (interpreter, sys.version_info[:2], str(self.path), project)
        whole = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for name in ("setup.lock", *LOCKS[group]):
            whole.update((self.root / "locks" / name).read_bytes())
        return whole.hexdigest()

    def has(self, group: str) -> bool:
        """Whether the group is installed, whole, as the locks say."""
        with contextlib.suppress(OSError):
            return (
                not self._unfinished.exists()
                and self.python.exists()
                and self._stamp(group).read_text("ascii") == self.digest(group)
            )
        return False

    def is_clean(self) -> bool:
        """Whether all that is installed is whole and current, so that a group can be added."""
        installed = [group for group in LOCKS if self._stamp(group).exists()]
        return bool(installed) and all(self.has(group) for group in installed)

    def create(self) -> None:
        """Make an empty environment, with pip and the build tools that setup.lock pins."""
        shutil.rmtree(self.path, ignore_errors=True)
        run([sys.executable, "-m", "venv", "--without-pip", str(self.path)])
        self._unfinished.touch()
        wheel = bundled_pip()
        if wheel is None:
            run([str(self.python), "-m", "ensurepip"])
        pip = PIP.split() if wheel is None else [str(wheel / "pip"), *PIP.split()[2:]]
        lock = str(self.root / "locks" / "setup.lock")
        run([str(self.python), *pip, *HASHED.split(), lock, "--only-binary", ":all:"])

    def install(self, group: str, progress: Progress) -> int:
        """Install a group with several pips side by side; returns the number of packages."""
        digest = self.digest(group)
        self._unfinished.touch()
        requirements = [
            requirement
            for name in LOCKS[group]
            for requirement in REQUIREMENT.findall((self.root / "locks" / name).read_text("utf-8"))
        ]
        with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor() as pool:
            commands: list[list[str]] = []
            for number, share in enumerate(shares(requirements, INSTALLERS)):
                lock = Path(scratch, f"{number}.lock")
                lock.write_text("\n".join(share), "utf-8")
                commands.append([str(self.python), *PIP.split(), *HASHED.split(), str(lock)])
            if group == "runtime":
                own = ["--no-build-isolation", "--editable", str(self.root)]
                commands.append([str(self.python), *PIP.split(), *own])
            total = len(requirements)
            works = [pool.submit(run, command, progress, total) for command in commands]
            try:
                for work in as_completed(works):
                    work.result()
            except BaseException:
                stop_all()
                raise
        self._stamp(group).write_text(digest, "ascii")
        self._unfinished.unlink()
        return total


def shares(requirements: Sequence[str], count: int) -> list[list[str]]:
    """Deal the requirements out so that each share has about as many files to look through."""
    dealt: list[list[str]] = [[] for _ in range(count)]
    weights = [0] * count
    for requirement in sorted(requirements, key=len, reverse=True):
        lightest = weights.index(min(weights))
        dealt[lightest].append(requirement)
        weights[lightest] += len(requirement)
    return [share for share in dealt if share]


def bundled_pip() -> Path | None:
    """The wheel of pip that comes with Python; running it as it is saves unpacking it."""
    spec = find_spec("ensurepip")
    folders = [Path(spec.origin).parent / "_bundled"] if spec and spec.origin else []
    if system := sysconfig.get_config_var("WHEEL_PKG_DIR"):
        folders.append(Path(system))
    return next((wheel for folder in folders for wheel in folder.glob("pip-*.whl")), None)


_running: list[subprocess.Popen[str]] = []


def stop_all() -> None:
    """End the commands that still run: their work is of no use any more."""
    for process in _running:
        process.terminate()


def run(command: Sequence[str], progress: Progress | None = None, total: int = 0) -> None:
    """Run a command, counting what pip collects.

    Raises:
        SetupError: it failed; the message has its last lines.

    """
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=False,
        env={**os.environ, "PYTHONNOUSERSITE": "1"},
    )
    _running.append(process)
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if progress and line.startswith("Collecting "):
                progress.count("package", total)
    if process.returncode:
        raise SetupError("\n".join(["", *lines[-12:], "", advice("\n".join(lines))]))


def advice(log: str) -> str:
    """What to do about a failed step, from what it printed."""
    if "No space left on device" in log:
        return "The disk is full: free 3 GB and start again."
    if re.search(r"(?i)ConnectionError|Connect ?Timeout|name resolution|timed out|Proxy", log):
        return "The package registry could not be reached: check the network and start again."
    if "DO NOT MATCH THE HASHES" in log:
        return "A package is not the one that was pinned; it was not installed."
    return "The set-up failed at the step above; the next start begins it again."


def check_machine() -> None:
    """Refuse early what cannot work.

    Raises:
        SetupError: this Python cannot make environments.

    """
    if not (find_spec("venv") and find_spec("ensurepip")):
        raise SetupError(
            f"{sys.executable} cannot make virtual environments. Install what is missing "
            "(Debian, Ubuntu: sudo apt install python3-venv) and start again."
        )


@contextlib.contextmanager
def alone(root: Path = ROOT) -> Iterator[None]:
    """Wait until no other set-up works on this tree."""
    with (root / "bootstrap.py").open("rb") as handle:
        # Installers keep it locked too: when only this process is killed, they are still at work.
        os.set_inheritable(handle.fileno(), True)  # noqa: FBT003
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is at work here; waiting for it.", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prepare(groups: Sequence[str], environment: Environment) -> None:
    """Install the groups that are missing or out of date."""
    if all(environment.has(group) for group in groups):
        return
    check_machine()
    with alone(environment.root):
        missing = [group for group in groups if not environment.has(group)]
        if not missing:
            return
        print("Setting up XNAi in .venv (later starts skip this)", flush=True)
        progress = Progress()
        if not environment.is_clean():
            missing = list(groups)
            environment.create()
            version = ".".join(map(str, sys.version_info[:3]))
            progress.done(f"environment with Python {version} and pip")
        for group in missing:
            count = environment.install(group, progress)
            progress.done(f"{count} packages, pinned and verified ({group})")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Bring .venv to what the locks say.")
    parser.add_argument("groups", nargs="+", choices=list(LOCKS))
    signal.signal(signal.SIGTERM, _stop)
    try:
        prepare(parser.parse_args().groups, Environment())
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next start takes it up again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
