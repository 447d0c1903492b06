"""What a build of the engine is made from, and what its result fits."""

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
from xnai.llm.build.ladder import Rung
from xnai.llm.hardware import available_memory, human_size, machine_key, usable_cores
from xnai.settings import PREFIX

NEEDED_DISK = 2_000_000_000  # bytes: sources, objects and tools
MEMORY_PER_COMPILER = 1_000_000_000  # bytes
LOCKS = Path(__file__).resolve().parents[3] / "locks"
HOOK = Path(__file__).resolve().with_name("engine.cmake")
HEADER = HOOK.with_name("amx_tileconfig.h")

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


def cmake_args(step: Rung, own: str) -> str:
    """What CMake is told: the step's options, then the user's, which come last to win.

    Args:
        step: which build.
        own: ``XNAI_ENGINE_CMAKE_ARGS`` (a GPU's options, for example).

    """
    hook = shlex.quote(f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={HOOK}")
    users = (os.environ.get("CMAKE_ARGS", ""), own)
    return " ".join(filter(None, ("-DLLAVA_BUILD=OFF", hook, *step.options, *users)))


def wheel_key(step: Rung, own: str) -> str:
    """What a build is made from and fits, as the name of a folder.

    Version, Python, system, step and options; the processor too, unless the build travels.
    """
    pinned = re.search(r"(?m)^llama-cpp-python==(\S+)", (LOCKS / "engine.lock").read_text("utf-8"))
    assert pinned is not None
    made_of = [path.read_text("utf-8") for path in (HOOK, HEADER)]
    fits = "" if step.travels else machine_key()
    facts = (cmake_args(step, own).replace(str(HOOK), ""), made_of, platform.libc_ver(), fits)
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    tag = sys.implementation.cache_tag
    return f"{pinned[1]}-{tag}-{sysconfig.get_platform()}-{step.name}-{digest}"
