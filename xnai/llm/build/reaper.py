"""Runs a command and takes everything it started with it when the parent ends, however that ends.

``python reaper.py NICENESS SCRATCH COMMAND...`` in a session of its own, standard input a pipe that
the parent holds: when that closes, all processes of the session are killed (a compiler driven by
ninja has a process group of its own, so killing groups is not enough) and SCRATCH is removed.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PARENT_CHECK_SECONDS = 1.0


def session_members() -> list[int]:
    """The other processes of this session that still run."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if (
                process.pid != os.getpid()
                and os.getsid(process.pid) == os.getsid(0)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                members.append(process.pid)
    return members


def kill_session() -> None:
    """Kill the other processes of this session until none is left."""
    while members := session_members():
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _outlive_no_parent(parent: int, scratch: Path, parent_ended: threading.Event) -> None:
    while os.getppid() == parent:
        if select.select([0], [], [], PARENT_CHECK_SECONDS)[0]:
            break
    parent_ended.set()
    kill_session()
    shutil.rmtree(scratch, ignore_errors=True)


def main() -> int:
    """Run the command; returns its exit status as a shell would."""
    parent = os.getppid()
    niceness, scratch, *command = sys.argv[1:]
    os.nice(int(niceness))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the server's own
    parent_ended = threading.Event()
    watch = (parent, Path(scratch), parent_ended)
    watcher = threading.Thread(target=_outlive_no_parent, args=watch, daemon=True)
    watcher.start()
    code = process.wait()
    if parent_ended.is_set():
        watcher.join()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
