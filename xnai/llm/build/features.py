"""What the compiled engine was built with, asked in a process of its own: it may not even load."""

import asyncio
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from xnai.llm.engine.launch import explain_exit, process_environment
from xnai.processes import child

_SCRIPT = (
    "import llama_cpp.llama_cpp as lib; from xnai.llm.worker.llama import load_backends; "
    "load_backends(); lib.llama_backend_init(); print(lib.llama_print_system_info().decode())"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """``features`` are names such as ``AVX2``; ``problem`` says why it does not load.

    It may only be ``late``: on a machine that has much else to do.
    """

    version: str
    features: frozenset[str] = frozenset()
    problem: str = ""
    late: bool = False


def ask_engine(seconds: float) -> Engine:
    """Load the installed engine and ask it; blocks, so it is for threads without a loop."""
    try:
        known = version("llama-cpp-python")
    except PackageNotFoundError:
        return Engine("", problem="it is not installed")
    program = child.Program((sys.executable, "-c", _SCRIPT), process_environment())
    try:
        done = asyncio.run(child.run(program, seconds=seconds))
    except TimeoutError:
        return Engine(known, problem=f"it did not load within {seconds:.0f} s", late=True)
    if done.code:
        lines = done.complaint.decode(errors="replace").strip().splitlines()
        return Engine(known, problem=explain_exit(done.code, lines[-1] if lines else "").words)
    return Engine(known, frozenset(re.findall(r"\b(\w+) = 1\b", done.output.decode())))
