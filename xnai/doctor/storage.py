"""Checks of where data is kept: space, rights, and the databases."""

import os
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from xnai.accounts.people import FILE, read_people
from xnai.data_folder.marker import holds
from xnai.data_folder.ownership import foreign_names
from xnai.data_folder.restoring import is_unfinished
from xnai.data_folder.rights import open_to_others
from xnai.doctor.finding import CheckSubject, Finding, existing, ok, problem, warning
from xnai.documents.inventory import take_stock
from xnai.errors import XnaiError
from xnai.llm.hardware import human_size
from xnai.retrieval.index.sqlite.inspection import Inspected, inspect
from xnai.sqlite import reserve

SPARE_DISK = 1_000_000_000  # bytes; less is reported
LEAST_DISK = 50_000_000  # bytes; with less no document can be stored
LEAST_INODES = 1_000
LARGE_LOG = 256_000_000  # bytes; the log is emptied at 64 MB when nobody is in the way
DATABASES = {"index": "index.sqlite3", "history": "history.sqlite3"}
_CHECK_SECONDS = 4.0


def check_disk(subject: CheckSubject) -> Iterator[Finding]:
    """Check free bytes and free inodes."""
    folder = existing(subject.settings.data_dir)
    free = shutil.disk_usage(folder).free
    words = f"{human_size(free)} free for {subject.settings.data_dir}"
    look = f"du -sh {shlex.quote(str(folder))}/* | sort -h"
    kept = reserve.words(folder)
    if free < LEAST_DISK:
        yield problem("disk", f"{words}: nothing can be stored; {kept}", look)
    elif free < SPARE_DISK:
        yield warning("disk", f"{words}; {kept}", look)
    else:
        yield ok("disk", words)
    inodes = os.statvfs(folder)
    if inodes.f_files and inodes.f_favail < LEAST_INODES:
        text = f"only {inodes.f_favail} more files can be made on this disk"
        yield problem("disk", text, f"df -i {shlex.quote(str(folder))}")


def check_rights(subject: CheckSubject) -> Iterator[Finding]:
    """Check that the data folder is ours, writable, and readable by nobody else."""
    folder = subject.settings.data_dir
    nearest, shown = existing(folder), shlex.quote(str(folder))
    if not nearest.is_dir():
        text = f"{nearest} is in the way: it is a file"
        yield problem("data folder", text, f"ls -ld {shlex.quote(str(nearest))}")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        command = f"sudo chown -R $(id -un) {shlex.quote(str(nearest))}"
        yield problem("data folder", f"{nearest} cannot be written", command)
    elif nearest != folder:
        yield ok("data folder", f"{folder} is made at the first start")
    elif foreign := foreign_names(folder):
        text = f"{folder} holds other things ({', '.join(foreign[:3])}) and no mark of XNAi"
        command = f"XNAI_DATA_DIR={shlex.quote(str(folder / 'xnai'))} make run"
        yield problem("data folder", text, command)
    elif seen := open_to_others(folder):
        text = f"others on this machine may look into {seen[0]}" + _more(len(seen) - 1)
        yield warning("data folder", text, f"chmod -R go= {shown}")
    else:
        yield ok("data folder", f"{folder} can be written, by its owner alone")
    foreign = [str(path) for path in _databases(folder) if not os.access(path, os.R_OK | os.W_OK)]
    if foreign:
        command = f"sudo chown -R $(id -un) {shown}"
        yield problem("data folder", f"{', '.join(foreign)} cannot be written", command)


def _more(count: int) -> str:
    return f" and {count:,} more" if count else ""


def check_databases(subject: CheckSubject) -> Iterator[Finding]:
    """Check damage, size and log of each database."""
    folder = subject.settings.data_dir
    if is_unfinished(folder):
        text = "a restore was killed when all was copied; the next start ends it"
        yield warning("restore", text, "make run")
    for name, file_name in DATABASES.items():
        path = folder / file_name
        if not path.exists() or not path.stat().st_size:
            yield _not_there(name, path)
        elif os.access(path, os.R_OK):
            found = inspect(path, _CHECK_SECONDS, is_index=name == "index")
            yield _database(name, path, found)
        for aside in sorted(folder.glob(f"{file_name}.aside-*")):
            if not aside.name.endswith(("-wal", "-shm", "-journal")):
                text = f"{aside} was set aside: it was no {name} of XNAi; look what it is"
                yield warning(name, text, f"ls -l {shlex.quote(str(aside))}")


def check_people(subject: CheckSubject) -> Iterator[Finding]:
    """Check that it is known whose the documents and chats are."""
    path = subject.settings.data_dir / FILE
    try:
        count = len(read_people(path))
    except XnaiError as exc:
        text = f"the server does not start. {exc.message} {exc.hint}"
        yield problem("people", text, f"ls -l {shlex.quote(str(path.parent))}")
    else:
        yield ok("people", f"{count} are known" if count else "made at the first start")


def _not_there(name: str, path: Path) -> Finding:
    folder, how = path.parent, "empty" if path.exists() else "not there"
    if not holds(folder, name):
        return ok(name, "made at the first start")
    text = f"{path} is {how}, though it was in use: put it back, if you have it. Else "
    if name == "index":
        text += "the next start makes it anew, reading all documents again"
    else:
        text += "the next start begins a new one; the documents are not touched"
    return problem(name, text, "make run")


def _database(name: str, path: Path, found: Inspected) -> Finding:
    shown = shlex.quote(str(path))
    words = f"{human_size(found.size)}, log {human_size(found.log_size)}, {found.version}"
    if found.problem:
        text = f"{path} is damaged: {' '.join(found.problem.split())[:200]}"
        return problem(name, text, f"{_set_aside(path)}   # with the server stopped; then make run")
    if not found.complete:
        text = f"{words}; not checked to its end in {_CHECK_SECONDS:.0f} s"
        query = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]))"
        command = f"python3 -c {shlex.quote(query)} {shown} 'PRAGMA quick_check'"
        return warning(name, text, command)
    if found.log_size > LARGE_LOG:
        text = f"{words}: the log has grown, perhaps because a program keeps the file open"
        return warning(name, text, f"lsof {shown}")
    return ok(name, f"whole; {words}")


def _set_aside(path: Path) -> str:
    """Return the command that moves one database away, with its logs, and nothing else.

    The index is made anew from the originals; a new history leaves the documents alone. A log left
    behind would be played over what is put in its place.
    """
    aside = shlex.quote(str(path.with_name(f"{path.name}.aside-{time.strftime('%Y%m%dT%H%M%S')}")))
    shown = shlex.quote(str(path))
    return f'for end in "" -wal -shm; do test ! -e {shown}$end || mv {shown}$end {aside}$end; done'


def check_documents(subject: CheckSubject) -> Iterator[Finding]:
    """Check that every document has its file, and every file its document."""
    folder = subject.settings.data_dir
    if not folder.is_dir():
        return
    stock = take_stock(folder)
    look = "xnai documents list"
    if stock.away:
        text = f"{stock.away}: {len(stock.missing)} documents are missing until it is back"
        yield problem("documents", text, look)
    elif stock.missing:
        text = f"{len(stock.missing)} of {len(stock.records)} documents are missing their files"
        yield problem("documents", text, f"{look} --missing")
    if stock.unrecorded and subject.server is None:
        count = len(stock.unrecorded)
        text = f"{count} files have no record in the index; the next start reads them again"
        yield warning("documents", text, "make run")
    if not stock.away and not stock.missing and not stock.unrecorded:
        yield ok("documents", f"{len(stock.records)}, each with its file")


def _databases(folder: Path) -> list[Path]:
    return [path for name in DATABASES.values() if (path := folder / name).exists()]
