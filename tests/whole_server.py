"""A whole server for tests and benches, which ends with the process that started it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 120


def die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """`xnai serve` as a user starts it, on a free port with a data folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self, command: tuple[str, ...] = ("-m", "xnai.cli", "serve")) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env={
                    **inherited,
                    "PYTHONPATH": str(ROOT),
                    "XNAI_PORT": str(self.port),
                    "XNAI_DATA_DIR": str(self.folder / "data"),
                    **self.environment,
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
            )

    def health(self) -> dict[str, object]:
        return httpx.get(f"{self.url}/health/ready", timeout=5).json()

    def wait(self, **wanted: object) -> dict[str, object]:
        """Wait until /health/ready says so; fails with the log of the server."""
        deadline = time.monotonic() + _START_SECONDS
        health: dict[str, object] = {}
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            try:
                health = self.health()
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if all(health.get(key) == value for key, value in wanted.items()):
                return health
            time.sleep(0.1)
        raise AssertionError(f"{wanted} expected, {health} seen\n{self.log[-5000:]}")

    def stop(self) -> int:
        """Stop it as a user does, with SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise
        return self.process.returncode

    def upload(self, name: str, content: bytes) -> str:
        """Add a document through the API and wait until it can be searched."""
        files = {"file": (name, content)}
        answer = httpx.post(f"{self.url}/v1/files", files=files, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        file_id = answer.json()["id"]
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            status = httpx.get(f"{self.url}/v1/files/{file_id}", timeout=5).json()["status"]
            if status == "processed":
                return str(file_id)
            assert status != "error", httpx.get(f"{self.url}/v1/files/{file_id}", timeout=5).text
            time.sleep(0.1)
        raise AssertionError(f"{name} was not processed in {_START_SECONDS} s")
