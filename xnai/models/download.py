"""One download in a process of its own, which can be ended at any moment."""

import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from typing import Any

from xnai.errors import MODEL_UNAVAILABLE, XnaiError
from xnai.models.fetching import Task
from xnai.processes import child

PATIENCE = 6.0  # seconds in which a download may tidy up before it is killed
_LINE = 2**16
# What pip and the hub's library are told; nothing else of the server's environment.
_FAMILIES = ("PIP_", "HF_", "XDG_", "SSL_", "REQUESTS_", "CURL_")
_NAMES = ("HOME", "NETRC", "HF_TOKEN", "USER", "LOGNAME")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class DownloadError(Exception):
    """What the process of a download says of its failure, with a code of the catalogue."""

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        super().__init__(words)


async def download(task: Task, tell: Callable[[dict[str, Any]], None]) -> bool:
    """Have all files of a model in its folder, compared with their hashes; whether any came now.

    Args:
        task: what is fetched.
        tell: told how far it is, as fields of ``MeterReading``.

    Raises:
        DownloadError: why it cannot be had.
        XnaiError: MODEL_UNAVAILABLE, the process ended without a word.

    """
    command = (sys.executable, "-P", "-m", "xnai.models", task.to_json())
    program = child.Program(command, _environment())
    said: dict[str, Any] = {}
    async with child.child(program, stderr=DEVNULL, patience=PATIENCE) as running:
        assert running.stdout is not None
        while line := await running.stdout.readline():
            said = _read_line(line)
            if "done" in said:
                tell(said)
    if "error" in said:
        error = said["error"]
        raise DownloadError(error["code"], f"{error['message']} {error['hint']}")
    if "path" not in said:
        reasons = f"the download ended with status {running.returncode}"
        raise XnaiError(MODEL_UNAVAILABLE, name=task.name, reasons=reasons)
    return bool(said["fresh"])


def _environment() -> dict[str, str]:
    """What the download is told: how pip and the hub are reached, and no setting of ours."""
    extra = {
        name: value
        for name, value in os.environ.items()
        if name in _NAMES or name.lower() in _PROXIES
    }
    return child.environment(_FAMILIES, extra)


def _read_line(line: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        said = json.loads(line)
        if isinstance(said, dict):
            return said
    return {}
