"""``python -m xnai.models JSON``: fetch a model for a server, telling how far it is in JSON lines.

A process of its own, so that the server can end it at any moment with all that it has started. It
ends by itself when its standard input does, which is when the server is gone.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from xnai.errors import XnaiError
from xnai.models.catalogue import read
from xnai.models.fetching import Fetching, Task
from xnai.models.meter import MeterReading

TELL_SECONDS = 0.5  # between two lines


def fetch(task: Task) -> int:
    """Fetch, and print how it goes; returns the exit status."""
    told = 0.0

    def tell(reading: MeterReading) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_SECONDS or reading.done == reading.total:
            told = now
            _say(asdict(reading))

    try:
        entry = read(Path(task.catalogue)).get(task.name)
        got = Fetching(entry, Path(task.folder), hub=task.hub, on_change=tell).get()
    except XnaiError as exc:
        _say({"error": {"code": exc.code, "message": exc.message, "hint": exc.hint}})
        return 1
    except KeyboardInterrupt:
        return 130
    _say({"path": str(got.path), "fresh": got.fresh})
    return 0


def _say(fields: dict[str, object]) -> None:
    print(json.dumps(fields), flush=True)  # noqa: T201 - the server reads it


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Wait for the end of the standard input, then stop as if told to."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # it is how it ends itself
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    sys.exit(fetch(Task(**json.loads(sys.argv[1]))))
