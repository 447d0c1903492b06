"""Where data is kept: room, rights, and the databases."""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from xnai.doctor.finding import Finding, Patient, existing, ok, problem, warning
from xnai.llm.machine import human_size
from xnai.retrieval.inspection import Inspected, inspect

SPARE_DISK = 1_000_000_000  # bytes; less is told
LEAST_DISK = 50_000_000  # bytes; with less no document can be stored
LEAST_INODES = 1_000
LARGE_LOG = 256_000_000  # bytes; the log is emptied at 64 MB when nobody is in the way
DATABASES = {"index": "index.sqlite3", "history": "history.sqlite3"}
_CHECK_SECONDS = 4.0
_SHARED = 0o077  # rights of anybody but the owner


def check_disk(patient: Patient) -> Iterator[Finding]:
    """Free bytes and free inodes."""
    folder = existing(patient.settings.data_dir)
    free = shutil.disk_usage(folder).free
    words = f"{human_size(free)} free for {patient.settings.data_dir}"
    look = f"du -sh {shlex.quote(str(folder))}/* | sort -h"
    if free < LEAST_DISK:
        yield problem("disk", f"{words}: nothing can be stored", look)
    elif free < SPARE_DISK:
        yield warning("disk", words, look)
    else:
        yield ok("disk", words)
    inodes = os.statvfs(folder)
    if inodes.f_files and inodes.f_favail < LEAST_INODES:
        text = f"only {inodes.f_favail} more files can be made on this disk"
        yield problem("disk", text, f"df -i {shlex.quote(str(folder))}")


def check_rights(patient: Patient) -> Iterator[Finding]:
    """Whether the data folder can be written, and by nobody else read."""
    folder = patient.settings.data_dir
    place, shown = existing(folder), shlex.quote(str(folder))
    if not place.is_dir():
        yield problem("data folder", f"{place} is in the way: it is a file", f"ls -ld {place}")
    elif not os.access(place, os.W_OK | os.X_OK):
        command = f"sudo chown -R $(id -un) {shlex.quote(str(place))}"
        yield problem("data folder", f"{place} cannot be written", command)
    elif place != folder:
        yield ok("data folder", f"{folder} is made at the first start")
    elif folder.stat().st_mode & _SHARED:
        text = f"others on this machine may look into {folder}; the next start closes it"
        yield warning("data folder", text, f"chmod 700 {shown}")
    else:
        yield ok("data folder", f"{folder} can be written, by its owner alone")
    foreign = [str(path) for path in _databases(folder) if not os.access(path, os.R_OK | os.W_OK)]
    if foreign:
        command = f"sudo chown -R $(id -un) {shown}"
        yield problem("data folder", f"{', '.join(foreign)} cannot be written", command)


def check_databases(patient: Patient) -> Iterator[Finding]:
    """Damage, size and log of each database."""
    for name, file_name in DATABASES.items():
        path = patient.settings.data_dir / file_name
        if not path.exists():
            yield ok(name, "made at the first start")
        elif os.access(path, os.R_OK):
            yield _database(name, path, inspect(path, _CHECK_SECONDS))


def _database(name: str, path: Path, found: Inspected) -> Finding:
    shown = shlex.quote(str(path))
    words = f"{human_size(found.size)}, log {human_size(found.log_size)}, {found.version}"
    if found.problem:
        text = f"{path} is damaged: {' '.join(found.problem.split())[:200]}"
        folder = shlex.quote(str(path.parent))
        # The whole folder: a log that stayed behind would be played over what is restored.
        command = f"mv {folder} {folder}.damaged   # with the server stopped; then xnai restore …"
        return problem(name, text, command)
    if not found.complete:
        text = f"{words}; not checked to its end in {_CHECK_SECONDS:.0f} s"
        return warning(name, text, f"sqlite3 {shown} 'PRAGMA quick_check'")
    if found.log_size > LARGE_LOG:
        text = f"{words}: the log has grown, perhaps because a program keeps the file open"
        return warning(name, text, f"lsof {shown}")
    return ok(name, f"whole; {words}")


def _databases(folder: Path) -> list[Path]:
    return [path for name in DATABASES.values() if (path := folder / name).exists()]
