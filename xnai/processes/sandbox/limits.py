"""Limits of memory, time and files that a process puts on itself (setrlimit(2))."""

import contextlib
import os
import resource
from pathlib import Path

_NICENESS = 10  # the page and the model go first
_OOM_SCORE = "900"  # short of memory, the system ends readers before model and server
_MEGABYTE = 2**20


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def limit(memory_mb: int, seconds: float, written: int = 0) -> None:
    """Lower the priority and bound memory, processor time, files and core dumps.

    ``written``: bytes of the largest file that may be written, those in memory included.

    Memory counts on top of what the interpreter and its libraries take now. Where the system
    does not know a limit (macOS: address space) it is left out; the parent's clock remains.
    """
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
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
