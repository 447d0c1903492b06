"""Checks of the machine: processor, cores, memory, clock."""

import platform
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]

import xnai
from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.llm.hardware import available_memory, cpu_flags, human_size, usable_cores

NEEDED_MEMORY = 1_200_000_000  # bytes: the server, the embedding model and the bundled model
_FAST = ("avx2", "avx512f", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
_NAMES = {"avx512f": "AVX512", "avx512_vnni": "VNNI", "asimd": "NEON", "asimddp": "DOTPROD"}


def check_processor(_: CheckSubject) -> Iterator[Finding]:
    """Check vector instructions and usable cores."""
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


def check_memory(subject: CheckSubject) -> Iterator[Finding]:
    """Check the memory free for the program as a whole; the model has a check of its own."""
    free, total = available_memory(), int(psutil.virtual_memory().total)
    words = f"{human_size(free)} of {human_size(total)} can be taken"
    if subject.server is None and free < NEEDED_MEMORY:
        need = human_size(NEEDED_MEMORY)
        yield warning("memory", f"{words}; about {need} are needed", "ps aux --sort=-rss | head")
    else:
        yield ok("memory", words)


def check_clock(_: CheckSubject) -> Iterator[Finding]:
    """Check that the clock is not behind the program's own files."""
    made = Path(xnai.__file__).stat().st_mtime
    if time.time() < made - 86_400:
        shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        text = f"it is {shown} UTC by the clock, and this program was installed later"
        yield problem("clock", text, "sudo timedatectl set-ntp true")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
