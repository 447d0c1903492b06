"""What the compiled engine was built with, asked in a process of its own: it may not even load."""

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from xnai.llm.launch import explain_exit

_SCRIPT = (
    "import llama_cpp.llama_cpp as lib; lib.llama_backend_init(); "
    "print(lib.llama_print_system_info().decode())"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """``features`` are names such as ``AVX2``; ``problem`` says why it does not load."""

    version: str
    features: frozenset[str] = frozenset()
    problem: str = ""


def ask_engine(seconds: float) -> Engine:
    """Load the installed engine and ask it; blocks."""
    try:
        known = version("llama-cpp-python")
    except PackageNotFoundError:
        return Engine("", problem="it is not installed")
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", _SCRIPT],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Engine(known, problem=f"it did not load within {seconds:.0f} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Engine(
            known, problem=explain_exit(done.returncode, lines[-1] if lines else "").words
        )
    return Engine(known, frozenset(re.findall(r"(\w+) = 1\b", done.stdout)))
