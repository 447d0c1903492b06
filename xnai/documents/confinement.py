"""Limits that a worker process puts on itself before it opens a stranger's file."""

import ctypes
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1  # prctl(2)
_NICENESS = 10  # the page and the model go first
_MEGABYTE = 2**20


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def be_killed_with_parent() -> None:
    """Have the system kill this process when its parent ends; only Linux can."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def die_with_parent(parent: int, stdin: BinaryIO) -> None:
    """End this process when its parent does, or when the parent closes the pipe."""
    be_killed_with_parent()
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(1)

    def watch() -> None:
        while stdin.read(1):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def confine(memory_mb: int, seconds: float, written: int = 0) -> None:
    """Lower the priority and bound memory, processor time, files and core dumps.

    ``written``: bytes of the largest file that may be written, those in memory included.

    Memory counts on top of what the interpreter and its libraries take now. Where the system
    does not know a limit (macOS: address space) it is left out; the parent's clock remains.
    """
    os.nice(_NICENESS)
    processor = int(seconds) + 1
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_AS, _address_space() + memory_mb * _MEGABYTE),
    ):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or limit < hard:
            try:
                # At the soft limit of time comes SIGXCPU, which says why; at the hard one SIGKILL.
                resource.setrlimit(kind, (limit, limit + (kind == resource.RLIMIT_CPU)))
            except (OSError, ValueError):
                continue
