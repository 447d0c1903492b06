"""What of this machine the model may use, containers' limits included."""

import contextlib
import hashlib
import os
import platform
import re
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_CPUINFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


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


def silicon_cores() -> int:
    """Cores of the processor; where two threads share one, fewer than ``usable_cores`` may be."""
    return int(psutil.cpu_count(logical=False) or usable_cores())


def cpu_flags() -> frozenset[str]:
    """What the processor can do, as Linux names it; empty where it does not say."""
    try:
        text = _CPUINFO.read_text("utf-8")
    except OSError:
        return frozenset()
    found = re.search(r"(?m)^(?:flags|Features)[\t ]*:(.*)$", text)
    return frozenset(found[1].split()) if found else frozenset()


def machine_key() -> str:
    """Which machines a compiled program or a measurement is good for, as part of a file's name."""
    known = (platform.machine(), platform.processor(), sorted(cpu_flags()), platform.libc_ver())
    return hashlib.sha256(repr(known).encode()).hexdigest()[:12]


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


def oom_kills() -> int | None:
    """How many processes the system has ended for lack of memory; None if it does not say.

    Of this process's control group where there is one to read, else of the whole machine.
    """
    for path, name in _oom_counters():
        with contextlib.suppress(OSError, ValueError):
            lines = dict(line.split(" ", 1) for line in path.read_text().splitlines())
            if name in lines:
                return int(lines[name])
    return None


def _oom_counters() -> list[tuple[Path, str]]:
    counters = [(_CGROUP / "memory.events", "oom_kill"), (Path("/proc/vmstat"), "oom_kill")]
    with contextlib.suppress(OSError):
        for line in _MEMBERSHIP.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                counters.insert(0, (_CGROUP / path.lstrip("/") / "memory.events", "oom_kill"))
            elif "memory" in controllers.split(","):
                place = _CGROUP / "memory" / path.lstrip("/") / "memory.oom_control"
                counters.insert(0, (place, "oom_kill"))
    return counters


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
