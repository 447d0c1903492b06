"""What is known of builds of the engine: how each self-test ended, and which one is installed.

A ``BuildTrial`` lies beside the wheel that it is of, one for each machine; the ``Installed`` record
lies in the environment that the engine was installed into.
"""

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xnai.data_folder.rights import former_umask
from xnai.llm.hardware import machine_key

BUILD_VARIABLE = "ENGINE_BUILD"
VARIANT_VARIABLE = "ENGINE_CPU_VARIANT"


@dataclass(frozen=True, slots=True)
class BuildTrial:
    """How a build did in its self-test on one machine.

    ``reason`` goes on after "the build for X "; ``variant`` is the part of a dynamic build that
    passed; ``deviations`` are those of its logits, see ``xnai.llm.build.self_test``.
    """

    build: str
    passed: bool
    reason: str = ""
    variant: str = ""
    deviations: Mapping[str, float] = field(default_factory=dict)
    features: str = ""
    at: float = field(default_factory=time.time)  # seconds since the epoch, UTC


@dataclass(frozen=True, slots=True)
class Installed:
    """The build in this environment.

    ``key`` says what it was made from; ``words`` go on after "built for "; ``failed`` has, for each
    build before it, its words and the reason.
    """

    build: str
    key: str
    machine: str
    words: str
    variant: str = ""
    failed: tuple[tuple[str, str], ...] = ()
    tested_at: float = 0.0

    @property
    def told(self) -> str:
        """The build and why it is not a faster one, a sentence without its full stop."""
        part = f" (its part for {self.variant})" if self.variant else ""
        reasons = ", and ".join(f"the build for {words} {reason}" for words, reason in self.failed)
        return f"built for {self.words}{part}" + (f": {reasons}" if reasons else "")

    @property
    def environment(self) -> dict[str, str]:
        """Variables that tell a worker's process which build it is of."""
        part = {VARIANT_VARIABLE: self.variant} if self.variant else {}
        return {BUILD_VARIABLE: self.build, **part}


def installed_path() -> Path:
    """Where this environment's record lies."""
    return Path(sys.prefix, ".engine.json")


def read_installed() -> Installed | None:
    """Return the record of this environment, None if there is none that can be read."""
    known = _read(installed_path())
    with contextlib.suppress(TypeError, ValueError):
        failed = tuple((str(words), str(reason)) for words, reason in known.pop("failed", ()))
        return Installed(**known, failed=failed)
    return None


def write_installed(record: Installed | None) -> None:
    """Replace the record of this environment, or remove it while nothing whole is installed."""
    if record is None:
        installed_path().unlink(missing_ok=True)
    else:
        _write(installed_path(), asdict(record), shared=True)


def read_trial(folder: Path) -> BuildTrial | None:
    """Return how the build kept in a folder did on this machine, None if it is not known."""
    with contextlib.suppress(TypeError, ValueError):
        return BuildTrial(**_read(_trial_path(folder)))
    return None


def write_trial(folder: Path, trial: BuildTrial) -> None:
    """Keep how a build did on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(_trial_path(folder), asdict(trial))


def _trial_path(folder: Path) -> Path:
    return folder / f"self-test-{machine_key()}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, fields: Mapping[str, object], *, shared: bool = False) -> None:
    """Replace a file; a ``shared`` one is for whoever the environment is for."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(fields, indent=1) + "\n", "utf-8")
    if shared and (umask := former_umask()) >= 0:
        temporary.chmod(0o666 & ~umask)
    temporary.replace(path)


def try_lock(handle: int) -> bool:
    """Lock a file for this process; tells whether nobody else has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
