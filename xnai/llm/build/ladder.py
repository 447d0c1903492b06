"""The builds of the engine that this processor can run, the fastest first.

One build with every variant of the CPU code (``dynamic``) could stand for them all, but compiling
it takes several times as long as ``native`` (docs/benchmarks.md has both), and nearly every machine
keeps the first build it makes; so builds are made one by one, and the next only if one fails.
"""

import platform
from dataclasses import dataclass

from xnai.llm.hardware import cpu_flags

Flags = frozenset[str]

NATIVE, NO_AMX, AVX2, BASELINE = "native", "native-no-amx", "avx2", "baseline"
ARM, DYNAMIC = "armv8-a", "dynamic"

_AMX = frozenset({"amx_tile", "amx_int8"})
_AVX2 = frozenset({"avx2", "fma", "f16c", "bmi2"})
# What -march=native would use beyond AVX2; without any of these the two builds are the same.
_BEYOND_AVX2 = frozenset({"avx512f", "avx_vnni", "amx_int8"})
_PORTABLE = "-DGGML_NATIVE=OFF"
_VECTORS = ("SSE42", "AVX", "AVX2", "BMI2", "FMA", "F16C")
_NO_VECTORS = tuple(f"-DGGML_{name}=OFF" for name in _VECTORS)
_X86 = frozenset({"x86_64", "amd64"})
_ARM64 = frozenset({"aarch64", "arm64"})


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to build the engine.

    ``name`` is a value of ``XNAI_ENGINE_BUILD``; ``words`` go on after "built for "; ``options``
    are CMake's.
    """

    name: str
    words: str
    options: tuple[str, ...] = ()

    @property
    def travels(self) -> bool:
        """Whether the build runs on other processors of this architecture too."""
        return self.name == DYNAMIC


def steps(flags: Flags | None = None, machine: str | None = None) -> list[Rung]:
    """Return the builds to try on a processor, the fastest first.

    Args:
        flags: what the processor can do, as /proc/cpuinfo names it; unset: this one's.
        machine: its architecture, as ``platform.machine`` names it; unset: this one's.

    """
    flags = cpu_flags() if flags is None else flags
    machine = (platform.machine() if machine is None else machine).lower()
    if machine in _ARM64:
        return [_native("this Arm processor"), _portable_arm()]
    if machine not in _X86:
        return [_native("this processor"), Rung(BASELINE, f"any {machine} processor", (_PORTABLE,))]
    found = [_native(_best_of(flags))]
    if flags >= _AMX:
        found.append(Rung(NO_AMX, "AVX-512 without AMX", ("-DXNAI_WITHOUT_AMX=ON",)))
    if flags >= _AVX2 and flags & _BEYOND_AVX2:
        found.append(_avx2())
    return [*found, _baseline(flags)]


def named(name: str) -> Rung:
    """Return the build that ``XNAI_ENGINE_BUILD`` names, whether or not it is fast here.

    Raises:
        ValueError: this processor cannot run it; the text says why.

    """
    if name == DYNAMIC:
        return _dynamic()
    here = {step.name: step for step in steps()}
    if platform.machine().lower() in _X86 and cpu_flags() >= _AVX2:
        here.setdefault(AVX2, _avx2())
    if name not in here:
        names = ", ".join((*here, DYNAMIC))
        raise ValueError(f"this processor cannot run it; here it is one of {names}")
    return here[name]


def _best_of(flags: Flags) -> str:
    if flags >= _AMX:
        return "AVX-512 with AMX"
    return "AVX-512" if "avx512f" in flags else "AVX2" if flags >= _AVX2 else "this processor"


def _native(words: str) -> Rung:
    return Rung(NATIVE, words)


def _avx2() -> Rung:
    return Rung(AVX2, "AVX2", (_PORTABLE,))


def _baseline(flags: Flags) -> Rung:
    # Without SSE4.2 llama.cpp computes number by number, some ten times slower.
    off = _NO_VECTORS[1:] if "sse4_2" in flags else _NO_VECTORS
    return Rung(BASELINE, "any x86-64 processor", (_PORTABLE, *off))


def _portable_arm() -> Rung:
    return Rung(ARM, "any 64-bit Arm processor", (_PORTABLE, "-DGGML_CPU_ARM_ARCH=armv8-a"))


def _dynamic() -> Rung:
    # The parts of a dynamic build are loaded from beside the library, not from a bin folder.
    options = ("-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON")
    place = "-DCMAKE_INSTALL_BINDIR=llama_cpp/lib"
    return Rung(DYNAMIC, "every processor", (_PORTABLE, *options, place))
