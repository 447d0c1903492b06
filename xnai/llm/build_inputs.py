"""What a build of the engine is made from, and what its result fits."""

import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from xnai.errors import ENGINE_BUILD_FAILED, XnaiError
from xnai.llm.machine import available_memory, human_size, usable_cores
from xnai.settings import PREFIX

NEEDED_DISK = 2_000_000_000  # bytes: sources, objects and tools
MEMORY_PER_COMPILER = 1_000_000_000  # bytes
LOCKS = Path(__file__).resolve().parents[2] / "locks"
HOOK = Path(__file__).resolve().with_name("engine.cmake")

_COMPILER_FIX = (
    "Install one (Debian, Ubuntu: sudo apt install build-essential; Fedora: sudo dnf install "
    "gcc-c++; macOS: xcode-select --install)."
)


def build_failed(reason: str, fix: str) -> XnaiError:
    """The error of a failed build; ``reason`` has no full stop, ``fix`` is a sentence."""
    return XnaiError(ENGINE_BUILD_FAILED, reason=reason, fix=fix)


def check_machine(folder: Path) -> None:
    """Refuse a build that cannot succeed.

    Raises:
        XnaiError: ENGINE_BUILD_FAILED: no compiler, or too little room in the folder.

    """
    for variable, names in (("CXX", "c++ g++ clang++"), ("CC", "cc gcc clang")):
        chosen = os.environ.get(variable, "").split()[:1]
        if not any(shutil.which(name) for name in chosen or names.split()):
            reason = "there is no C++ compiler on this machine"
            if chosen:
                reason = f"there is no {chosen[0]!r} on this machine, which {variable} names"
            raise build_failed(reason, _COMPILER_FIX)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_DISK:
        reason = f"{human_size(free)} of disk are free, and {human_size(NEEDED_DISK)} are needed"
        raise build_failed(reason, f"Free some space, or set {PREFIX}DATA_DIR to a larger disk.")


def compilers() -> int:
    """How many compilers may run at a time: one for each core that has the memory for it."""
    return max(1, min(usable_cores(), available_memory() // MEMORY_PER_COMPILER))


def cmake_args() -> str:
    """What CMake is told, the user's own CMAKE_ARGS last (a GPU's, for example)."""
    hook = shlex.quote(f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={HOOK}")
    return f"-DLLAVA_BUILD=OFF {hook} {os.environ.get('CMAKE_ARGS', '')}".strip()


def wheel_key() -> str:
    """What a compiled engine fits, as the name of a folder: version, Python, processor, options."""
    pinned = re.search(r"(?m)^llama-cpp-python==(\S+)", (LOCKS / "engine.lock").read_text("utf-8"))
    assert pinned is not None
    processor = platform.processor()
    with contextlib.suppress(OSError):
        flags = re.search(r"(?m)^(flags|Features)\s*:.*", Path("/proc/cpuinfo").read_text("utf-8"))
        processor = flags[0] if flags else processor
    options = (os.environ.get("CMAKE_ARGS", ""), HOOK.read_text("utf-8"))
    fits = hashlib.sha256(repr((processor, platform.libc_ver(), options)).encode()).hexdigest()[:12]
    tag = sys.implementation.cache_tag
    return f"{pinned[1]}-{tag}-{sysconfig.get_platform()}-{fits}"
