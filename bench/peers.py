"""Servers to be measured side by side, on the same file with the same number of threads.

Ours is `xnai serve` as a user starts it. The peers are llama.cpp's own server (built outside the
repository, named by LLAMA_SERVER) and `python -m llama_cpp.server`. All of them end with the bench,
even if that is killed.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rig.processes import die_with_parent, free_port
from rig.whole_server import Server
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.hardware import usable_cores
from xnai.retrieval.embedding import weights

ROOT = Path(__file__).resolve().parents[1]

OURS, LLAMA_SERVER, LLAMA_CPP_SERVER = "xnai", "llama-server", "llama_cpp.server"
START_SECONDS = 120.0
PEER_EXIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What all servers have in common; ``context`` is in tokens, for each of ``slots`` answers."""

    folder: Path
    threads: int = field(default_factory=usable_cores)
    slots: int = 8
    context: int = 2048


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    name: str
    port: int
    pid: int


@contextlib.contextmanager
def ours(setup: Setup, **environment: str) -> Iterator[Server]:
    """`xnai serve` with its model loaded and its embedding model quantised."""
    model = os.environ.get("XNAI_MODEL")  # the only one of these variables that is passed on
    server = Server(
        setup.folder,
        {
            "XNAI_THREADS": str(setup.threads),
            "XNAI_SLOTS": str(setup.slots),
            "XNAI_CONTEXT": str(setup.context),
            **({"XNAI_MODEL": model} if model else {}),
            **environment,
        },
    )
    server.start()
    try:
        server.wait(model="ready")
        wait_for_quantised_embedder(setup.folder / "data")
        yield server
    finally:
        server.stop()


def wait_for_quantised_embedder(data: Path) -> None:
    """Wait for what the first start makes in the background; it takes a core."""
    deadline = time.monotonic() + START_SECONDS
    while weights.quantized(data / "embedding") is None:
        if time.monotonic() > deadline:
            raise TimeoutError("the embedding model was not quantised")
        time.sleep(0.2)
    time.sleep(1)  # it is being loaded


def model_file() -> Path:
    """The file that our server runs: the bundled model, or what XNAI_MODEL names."""
    named = os.environ.get("XNAI_MODEL")
    found = Path(named) if named else bundled_path()
    assert found is not None, "the bundled model is not installed"
    return found


@contextlib.contextmanager
def all_servers(setup: Setup, peers: set[str]) -> Iterator[list[Running]]:
    """Our server and those of ``peers`` that can be had; says which cannot, and why."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(ours(setup))
        assert server.process is not None
        running = [Running(OURS, server.port, server.process.pid)]
        commands = {LLAMA_SERVER: llama_server_command, LLAMA_CPP_SERVER: llama_cpp_server_command}
        for name, command_for in commands.items():
            if name not in peers:
                continue
            port = free_port()
            command = command_for(setup, model_file(), port)
            if command:
                pid = stack.enter_context(_process(setup, name, command, port))
                running.append(Running(name, port, pid))
        yield running


def llama_server_command(setup: Setup, model: Path, port: int) -> list[str]:
    """llama.cpp's own server; empty, with a word about it, if it is not there."""
    program = os.environ.get("LLAMA_SERVER", "")
    if not Path(program).is_file():
        print(f"{LLAMA_SERVER} skipped: LLAMA_SERVER={program!r} names no program", flush=True)
        return []
    options = {
        "--model": model,
        "--host": "127.0.0.1",
        "--port": port,
        "--threads": setup.threads,
        "--parallel": setup.slots,
        "--ctx-size": setup.slots * setup.context,
    }
    return [program, *(str(part) for pair in options.items() for part in pair)]


def llama_cpp_server_command(setup: Setup, model: Path, port: int) -> list[str]:
    """llama-cpp-python's server; empty, with a word about it, if it cannot be imported."""
    trial = [sys.executable, "-c", "import llama_cpp.server.app"]
    tried = subprocess.run(trial, capture_output=True, text=True, check=False)
    if tried.returncode:
        reason = tried.stderr.strip().splitlines()[-1]
        print(f"{LLAMA_CPP_SERVER} skipped: {reason}", flush=True)
        return []
    options = {
        "--model": model,
        "--host": "127.0.0.1",
        "--port": port,
        "--n_threads": setup.threads,
        "--n_threads_batch": setup.threads,
        "--n_ctx": setup.context,
        # By default a new request cuts short the answer under way.
        "--interrupt_requests": False,
    }
    parts = [str(part) for pair in options.items() for part in pair]
    return [sys.executable, "-m", "llama_cpp.server", *parts]


@contextlib.contextmanager
def _process(setup: Setup, name: str, command: list[str], port: int) -> Iterator[int]:
    log_path = setup.folder / f"{name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
        )
    try:
        _wait_until_loaded(process, port, log_path)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PEER_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_loaded(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Both peers list their models; llama.cpp's server does so with 503 while it loads."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not answer:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def scratch_folder(kept: Path | None) -> Iterator[Path]:
    """``kept`` if a folder is named (the next run starts faster), or a temporary one."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="xnai-bench-") as folder:
        yield Path(folder)
