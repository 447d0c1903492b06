"""What the worker's process says: frames for the server, and lines for its log."""

import json
import os
import sys
import threading
import time
from typing import IO

import llama_cpp.llama_cpp as lib

from xnai.llm import ipc
from xnai.llm.ipc import FromWorker, LoadProgress
from xnai.llm.worker.llama import AbortFlag

PROGRESS_SECONDS = 0.2
LOG_TEXT = 500  # characters of a line of llama.cpp
LOG_LEVELS = {3: "warning", 4: "error"}  # GGML_LOG_LEVEL_WARN, _ERROR


class Outbox:
    """Writes frames from any thread; ends the process when nobody reads them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def send(self, frame: FromWorker) -> None:
        """Write one frame."""
        try:
            with self._lock:
                self._file.write(ipc.encode(frame))
                self._file.flush()
        except OSError:
            os._exit(0)


class ReadProgress:
    """Reports how much of the file was read, a few times a second."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._next = 0.0

    def __call__(self, value: float) -> None:
        """Take a share from 0 to 1."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._outbox.send(LoadProgress(value))


class NativeLog:
    """Takes llama.cpp's log: errors and warnings become lines, the rest is dropped.

    So are its complaints about a step that was given up on purpose.
    """

    def __init__(self, abort: AbortFlag) -> None:
        self.first_error = ""
        self._abort = abort
        self._callback = lib.llama_log_callback(self._take)  # must outlive the library's use
        lib.llama_log_set(self._callback, None)

    def _take(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()[:LOG_TEXT]
        if level not in LOG_LEVELS or not line.strip(".") or self._abort.is_set():
            return
        if LOG_LEVELS[level] == "error":
            self.first_error = self.first_error or line
        log_line(LOG_LEVELS[level], line)


def log_line(level: str, text: str) -> None:
    """Write one line that the server puts into its own log."""
    sys.stderr.write(json.dumps({"level": level, "text": text}) + "\n")
    sys.stderr.flush()
