"""The machine: processor, cores, memory, clock."""

import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]

import xnai
from xnai.doctor.finding import Finding, Patient, ok, problem, warning
from xnai.llm.machine import available_memory, human_size, usable_cores

NEEDED_MEMORY = 1_200_000_000  # bytes: the server, the embedding model and the bundled model
_CPUINFO = Path("/proc/cpuinfo")
_FAST = ("avx2", "avx512f", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
_NAMES = {"avx512f": "AVX512", "avx512_vnni": "VNNI", "asimd": "NEON", "asimddp": "DOTPROD"}


def cpu_flags() -> set[str]:
    """What the processor can do, as Linux names it; empty where it does not say."""
    try:
        text = _CPUINFO.read_text("utf-8")
    except OSError:
        return set()
    found = re.search(r"(?m)^(?:flags|Features)\s*:(.*)", text)
    return set(found[1].split()) if found else set()


def check_processor(_: Patient) -> Iterator[Finding]:
    """Vector instructions and usable cores."""
    flags = cpu_flags()
    named = [_NAMES.get(flag, flag.upper()) for flag in _FAST if flag in flags]
    kind = platform.machine()
    slow = kind in {"x86_64", "AMD64"} and flags and "avx2" not in flags
    if slow:
        yield warning("processor", f"{kind} without AVX2: answers will be slow")
    else:
        yield ok("processor", f"{kind} with {', '.join(named) or 'unknown vector instructions'}")
    cores, present = usable_cores(), psutil.cpu_count() or 1
    share = "" if cores == present else f" of {present}, by affinity or the container's quota"
    if cores < 2:  # noqa: PLR2004
        yield warning("cores", f"{cores}{share}: the page slows down while an answer is written")
    else:
        yield ok("cores", f"{cores}{share}")


def check_memory(patient: Patient) -> Iterator[Finding]:
    """What is free for the program as a whole; the model has a check of its own."""
    free, total = available_memory(), int(psutil.virtual_memory().total)
    words = f"{human_size(free)} of {human_size(total)} can be taken"
    if patient.server is None and free < NEEDED_MEMORY:
        need = human_size(NEEDED_MEMORY)
        yield warning("memory", f"{words}; about {need} are needed", "ps aux --sort=-rss | head")
    else:
        yield ok("memory", words)


def check_clock(_: Patient) -> Iterator[Finding]:
    """Whether the clock is behind the program's own files."""
    made = Path(xnai.__file__).stat().st_mtime
    if time.time() < made - 86_400:
        shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        text = f"it is {shown} UTC by the clock, and this program was installed later"
        yield problem("clock", text, "sudo timedatectl set-ntp true")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
