"""The parent's side of the probe: decoys, and what to make of what a child tells."""

import contextlib
import json
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xnai.processes.sandbox.probe import LAST


@dataclass(frozen=True, slots=True)
class EscapeTrial:
    """What a confined child tried: why each attempt failed, ``""`` if it did not."""

    tried: dict[str, str]

    @property
    def holes(self) -> list[str]:
        """What was not refused."""
        return [attempt for attempt, refused in self.tried.items() if not refused]

    @property
    def whole(self) -> bool:
        """Whether all was refused."""
        return bool(self.tried) and not self.holes


def read(output: bytes) -> EscapeTrial:
    """Read what the probe wrote; a child that did not come back has become a shell."""
    told = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    tried = {row["attempt"]: row["refused"] for row in told if "attempt" in row}
    return EscapeTrial({LAST: "", **tried})


@contextlib.contextmanager
def decoys() -> Iterator[dict[str, str]]:
    """Files and a listening port that a child must not reach; blocks."""
    with tempfile.TemporaryDirectory(prefix="xnai-probe-") as folder, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        targets = {"folder": folder, "port": str(listening.getsockname()[1])}
        for kind in ("document", "index", "secret"):
            targets[kind] = str(Path(folder, kind))
            Path(targets[kind]).write_text("decoy", encoding="ascii")
        yield targets
