"""Who asked what of this server, when, and how it ended: one line of JSON each, in a file.

Lines are written by a thread of their own. A file that cannot be written fails nobody's question:
``AuditLog.state`` says so, the log once, and the lines wait for a while.
"""

import asyncio
import errno
import json
import os
import queue
import stat
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from xnai.accounts.principal import acting
from xnai.errors import AUDIT_UNWRITABLE, XnaiError
from xnai.settings import Settings

log = structlog.get_logger(__name__)

FILE = "audit.jsonl"
_WAITING = 1000  # lines kept while the file cannot be written
_RETRY = 5.0  # seconds between two attempts then
_CLOSING = 5.0  # seconds to write what is left


@dataclass
class AuditState:
    """Whether lines are written; ``since`` is seconds since the epoch."""

    state: str  # off, ready, down
    detail: str = ""
    error_code: str = ""
    lost: int = 0  # lines that were never written
    since: float = field(default_factory=time.time)


class AuditLog:
    """Takes lines at any time, from any thread; nothing is raised to whoever records.

    Attributes:
        keeps_content: whether questions, answers and names of files belong into it.

    """

    def __init__(self, settings: Settings) -> None:
        path = Path(settings.audit_log).expanduser() if settings.audit_log else None
        self._file = AuditFile(
            path or settings.data_dir / FILE, settings.audit_max_mb, settings.audit_files
        )
        self.keeps_content = settings.audit_content
        self.state = AuditState("ready" if _is_wanted(settings) else "off")
        self._queue: queue.SimpleQueue[bytes | threading.Event | None] = queue.SimpleQueue()
        self._waiting: deque[bytes] = deque()
        self._retry_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write; what was recorded before is written then."""
        if self.state.state != "off" and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()

    def record(self, action: str, **fields: object) -> None:
        """Note what was done, by whom and in which request; ``who`` may be given."""
        if self.state.state == "off":
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "action": action,
            "who": acting.get().person_id,
            "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
            **fields,
        }
        if self._queue.qsize() >= _WAITING:  # the disk hangs, and the writer with it
            self.state.lost += 1
            self._become_down(TimeoutError("it does not answer"))
            return
        self._queue.put(_encoded(line))

    async def flush(self) -> None:
        """Wait until what was recorded is written or cannot be, for a few seconds at most."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._queue.put(done)
            await asyncio.to_thread(done.wait, _CLOSING)

    async def close(self) -> None:
        """Write what is left and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join, _CLOSING)
            self._thread = None

    def _run(self) -> None:
        self._write()  # so that what is wrong with the file shows now and not at the first line
        while True:
            item = self._next()
            if isinstance(item, bytes):
                self._keep(item)
            asked = not isinstance(item, bytes)
            if asked or self.state.state != "down" or time.monotonic() >= self._retry_at:
                self._write()
            if isinstance(item, threading.Event):
                item.set()
            if item is None:
                self._file.close()
                return

    def _next(self) -> bytes | threading.Event | None:
        """A line, or a wish; waits only until the next attempt to write what could not be."""
        while True:
            patience = max(0.0, self._retry_at - time.monotonic()) if self._waiting else None
            try:
                return self._queue.get(timeout=patience)
            except queue.Empty:
                self._write()

    def _keep(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) > _WAITING:
            self._waiting.popleft()
            self.state.lost += 1

    def _write(self) -> None:
        """Write what waits; while it cannot be, that is tried again now and then."""
        try:
            self._file.open()
            while self._waiting:
                self._file.append(self._waiting[0])
                self._waiting.popleft()
        except OSError as exc:
            self._become_down(exc)
        else:
            if self.state.state == "down":
                self.state = AuditState("ready", lost=self.state.lost)
                with suppress(OSError):
                    log.info("the audit log is written again", lines_lost=self.state.lost)

    def _become_down(self, exc: OSError) -> None:
        self._retry_at = time.monotonic() + _RETRY
        reason = exc.strerror or str(exc) or type(exc).__name__
        error = XnaiError(AUDIT_UNWRITABLE, path=self._file.path, reason=reason)
        if self.state.state != "down":
            self.state = AuditState("down", str(error), error.code, self.state.lost)
            with suppress(OSError):  # the program's log may lie on the same full disk
                log.error("the audit log is not written", code=error.code, reason=str(error))


def _is_wanted(settings: Settings) -> bool:
    """With ``auto``, if others than the owner of the machine can ask, or somebody said where."""
    if settings.audit == "auto":
        return bool(settings.api_keys or settings.audit_log or settings.audit_content)
    return settings.audit == "on"


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


_MODE = 0o600  # who asked what is nobody else's business
_MEGABYTE = 1_000_000


class AuditFile:
    """Appends to ``path``; earlier files are ``<path>.1`` to ``<path>.<kept>``, newest first."""

    def __init__(self, path: Path, max_mb: int, kept: int) -> None:
        self.path = path
        self._max_bytes = max_mb * _MEGABYTE
        self._kept = kept
        self._descriptor = -1

    def open(self) -> None:
        """Open the file, make it and its folder if need be, or again if it was moved away.

        Raises:
            OSError: it cannot be written, or is no plain file.

        """
        if self._descriptor >= 0 and self._is_in_place():
            return
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self.path, flags, _MODE)
        try:
            _prepare(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def append(self, line: bytes) -> None:
        """Write a line whole or not at all.

        Raises:
            OSError: it cannot be written.

        """
        size = os.fstat(self._descriptor).st_size
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            size = 0
        _write(self._descriptor, line, size)

    def close(self) -> None:
        """Close the file; it may be opened again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_in_place(self) -> bool:
        try:
            there = self.path.stat()
        except OSError:
            return False
        ours = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _rotate(self) -> None:
        self.close()
        names = [self.path, *(Path(f"{self.path}.{n}") for n in range(1, self._kept + 1))]
        if not self._kept:
            self.path.unlink()
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        self.open()


def _prepare(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file")
    os.fchmod(descriptor, _MODE)
    if status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
        _write(descriptor, b"\n", status.st_size)  # after a crash in the middle of a line


def _write(descriptor: int, data: bytes, size: int) -> None:
    """Append to a file of ``size`` bytes; of what does not fit, nothing stays."""
    written = 0
    try:
        written = os.write(descriptor, data)
    finally:
        if written < len(data):
            os.ftruncate(descriptor, size)
    if written < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
