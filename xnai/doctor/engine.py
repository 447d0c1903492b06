"""Checks of Python, the compiler and the engine that it makes."""

import platform
import shlex
import sys
import time
from collections.abc import Iterator

from xnai.doctor.finding import CheckSubject, Finding, existing, ok, problem, warning
from xnai.errors import XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.build.features import ask_engine
from xnai.llm.build.inputs import check_machine
from xnai.llm.build.ladder import NATIVE
from xnai.llm.build.record import read_installed
from xnai.llm.hardware import machine_key
from xnai.settings import PREFIX, Settings

OLDEST, NEWEST = (3, 11), (3, 13)
BUILD = ".venv/bin/python -m xnai.llm.build"
_LOAD_SECONDS = 8.0
# Of what the engine says that it was compiled with.
_USED = {"AMX_INT8": "AMX", "AVX512": "AVX-512", "AVX2": "AVX2", "NEON": "NEON"}


def check_python(_: CheckSubject) -> Iterator[Finding]:
    """Check that this version of Python is supported."""
    here = sys.version_info[:2]
    if OLDEST <= here <= NEWEST:
        yield ok("python", f"{platform.python_version()} in {sys.prefix}")
    else:
        text = f"{platform.python_version()}; XNAi needs 3.11, 3.12 or 3.13"
        yield problem("python", text, "make setup PYTHON=python3.11")


def check_engine(subject: CheckSubject) -> Iterator[Finding]:
    """Check that the engine exists and loads, what it was built for, and its self-test."""
    settings = subject.settings
    if settings.llm_url and not settings.llm_fallback:
        yield ok("engine", "not needed: XNAI_LLM_URL names who answers")
        return
    if not EngineBuild(settings).installed:
        yield from _missing(subject)
        return
    engine = ask_engine(_LOAD_SECONDS)
    known = read_installed()
    if engine.late and known is not None:
        text = f"llama-cpp-python {engine.version}, {known.told}; {engine.problem}"
        yield warning("engine", text, "xnai doctor, when the machine has less to do")
        return
    if engine.problem or known is None:
        yield problem("engine", f"it does not load: {engine.problem}", _rebuild(settings))
        return
    tested = time.strftime("%Y-%m-%d", time.gmtime(known.tested_at))
    used = ", ".join(name for key, name in _USED.items() if key in engine.features)
    text = f"llama-cpp-python {engine.version}, {known.told}"
    text += f"; it uses {used or 'no vectors'}; its self-test passed on {tested}"
    if known.failed:
        # Named by hand, a build that failed is tried again.
        yield warning("engine", text, f"{PREFIX}ENGINE_BUILD={NATIVE} {BUILD}")
    else:
        yield ok("engine", text)


def _missing(subject: CheckSubject) -> Iterator[Finding]:
    try:
        check_machine(existing(subject.settings.data_dir))
    except XnaiError as exc:
        yield problem("engine", exc.message, exc.hint)
        return
    text = "not compiled yet; the server does that at its first start, and answers then"
    known = read_installed()
    if known is not None and known.machine != machine_key():
        text = "compiled for another processor; the server makes one for this one when it starts"
    yield warning("engine", text, BUILD)


def _rebuild(settings: Settings) -> str:
    kept = shlex.quote(str(settings.data_dir / "engine"))
    return f".venv/bin/pip uninstall -y llama-cpp-python && rm -r {kept}; {BUILD}"
