"""Python, the compiler and the engine that it makes."""

import platform
import shlex
import sys
from collections.abc import Iterator

from xnai.doctor.finding import Finding, Patient, existing, ok, problem, warning
from xnai.doctor.machine import cpu_flags
from xnai.errors import XnaiError
from xnai.llm.build import EngineBuild
from xnai.llm.build_inputs import check_machine
from xnai.llm.features import ask_engine
from xnai.settings import Settings

OLDEST, NEWEST = (3, 11), (3, 13)
BUILD = ".venv/bin/python -m xnai.llm.build"
_LOAD_SECONDS = 8.0
# The flag of the processor, and the engine's name for it.
_PAIRS = {"avx2": "AVX2", "avx512f": "AVX512", "asimd": "NEON"}


def check_python(_: Patient) -> Iterator[Finding]:
    """Whether this version of Python will do."""
    here = sys.version_info[:2]
    if OLDEST <= here <= NEWEST:
        yield ok("python", f"{platform.python_version()} in {sys.prefix}")
    else:
        text = f"{platform.python_version()}; XNAi needs 3.11, 3.12 or 3.13"
        yield problem("python", text, "make setup PYTHON=python3.11")


def check_engine(patient: Patient) -> Iterator[Finding]:
    """Whether the engine is there, loads, and uses what the processor can do."""
    settings = patient.settings
    if settings.llm_url and not settings.llm_fallback:
        yield ok("engine", "not needed: XNAI_LLM_URL names who answers")
        return
    if not EngineBuild(settings).installed:
        yield from _missing(patient)
        return
    engine = ask_engine(_LOAD_SECONDS)
    if engine.problem:
        yield problem("engine", f"it does not load: {engine.problem}", _rebuild(settings))
        return
    flags = cpu_flags()
    unused = [name for flag, name in _PAIRS.items() if flag in flags - engine.features]
    unused = [name for name in unused if name not in engine.features]
    built = [name for name in _PAIRS.values() if name in engine.features]
    text = f"llama-cpp-python {engine.version}, built with {', '.join(built) or 'no vectors'}"
    if unused:
        yield warning(
            "engine", f"{text}; {', '.join(unused)} of this machine unused", _rebuild(settings)
        )
    else:
        yield ok("engine", text)


def _missing(patient: Patient) -> Iterator[Finding]:
    try:
        check_machine(existing(patient.settings.data_dir))
    except XnaiError as exc:
        yield problem("engine", exc.message, exc.hint)
        return
    text = "not compiled yet; the server does that at its first start, and answers then"
    yield warning("engine", text, BUILD)


def _rebuild(settings: Settings) -> str:
    kept = shlex.quote(str(settings.data_dir / "engine"))
    return f".venv/bin/pip uninstall -y llama-cpp-python && rm -r {kept}; {BUILD}"
