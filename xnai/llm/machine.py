"""What of this machine the model may use, containers' limits included."""

import os
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """CPU cores this process may use: its affinity and the quota of its container."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    fields = _read("cpu.max").split()
    if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():  # noqa: PLR2004
        cores = min(cores, -(-int(fields[0]) // int(fields[1])))
    return max(1, cores)


def available_memory() -> int:
    """Bytes that can be taken without swapping."""
    available = int(psutil.virtual_memory().available)
    limit, used = _read("memory.max"), _read("memory.current")
    if limit.isdigit() and used.isdigit():
        # Files the kernel has cached count as used but are given back on demand.
        stat = dict(line.split() for line in _read("memory.stat").splitlines())
        cached = int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
        available = min(available, int(limit) - int(used) + cached)
    return max(0, available)


def human_size(count: int) -> str:
    """A number of bytes for people, such as ``1.4 GB``."""
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _read(name: str) -> str:
    try:
        return (_CGROUP / name).read_text().strip()
    except OSError:
        return ""
