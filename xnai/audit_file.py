"""A file of lines that is rotated by its size; every method blocks.

The standard library's rotating handler would do, but for the rights of its files and for lines of
which a full disk took a half.
"""

import errno
import os
import stat
from pathlib import Path

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
