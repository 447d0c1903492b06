"""Servers in processes of their own, which end with the process that started them."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rig.waiting import wait_until

_START_SECONDS = 120
_STOP_SECONDS = 30
# Below the ports that outgoing connections are given: nothing takes one before the server does.
_PORTS = range(20_000, 32_000)
# Two processes that run tests at the same time draw from different parts.
_draw = random.Random(os.getpid())


def die_with_parent() -> None:
    """Have this process killed when the one that started it ends; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port() -> int:
    """Find a port nobody listens on."""
    while True:
        port = _draw.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@dataclass
class LocalServer:
    """A program that listens on a free port; what it prints goes to a log in its folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the program, in the environment of this process unless another is given."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
            )

    def until_it_answers(self, path: str, seconds: float = _START_SECONDS) -> None:
        """Wait until it answers with less than an error; fails with its log."""

        def answers() -> bool:
            self.check_alive()
            try:
                return not httpx.get(f"{self.url}{path}", timeout=5).is_error
            except httpx.HTTPError:
                return False

        wait_until(answers, lambda: self.log[-5000:], seconds)

    def check_alive(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, self.log

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it, as a user does unless another signal is named; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise
        return self.process.returncode
