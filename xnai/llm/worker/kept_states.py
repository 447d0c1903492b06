"""What was read of documents, kept on disk, so that nothing is read twice, not after a restart.

A file holds the tokens of a prompt and the state of the sequence that computed them; llama.cpp
takes such a state back as it gave it, if weights and engine are the same, which the folder's name
stands for (``xnai.llm.engine.prefix_files``). A file is written as a whole or not at all; one whose
checksum is not right counts as none.

    magic | tokens, bytes of the state, CRC-32 of all that follows | tokens, 4 bytes each | state
"""

import contextlib
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xnai.llm.worker.context import SavedState
from xnai.llm.worker.outbox import log_line
from xnai.llm.worker.prefix_cache import LEAST_SAVE, common_prefix

SUFFIX = ".state"
SPARE_BYTES = 2_000_000_000
_MAGIC = b"xnai prefix 1\n"
_HEAD = struct.Struct("<IQI")
_NAME = re.compile(r"[0-9A-Za-z-]{1,64}")
_PART = ".part"


@dataclass(frozen=True, slots=True)
class Offered:
    """A state that a prompt can begin with, of these tokens."""

    tokens: list[int]
    state: SavedState
    path: Path  # where it lies


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a file: when it was written, and its tokens."""

    stamp: tuple[int, int]
    tokens: list[int]


class KeptStates:
    """The files of one folder; used by one thread at a time, but for ``keep``.

    Args:
        folder: where they lie; need not exist.
        most_bytes: of all files together; the ones that were not used for longest go first.
        spare_bytes: of the disk, which are left to documents.

    """

    def __init__(self, folder: Path, most_bytes: int, spare_bytes: int = SPARE_BYTES) -> None:
        self._spare = spare_bytes
        self._folder = folder
        self._most = most_bytes
        self._known: dict[str, _Known] = {}

    def wanted(self, prompt: Sequence[int], available: int) -> Offered | None:
        """Return the state that spares most of a prompt's computing; None if it is not worth it.

        Args:
            prompt: its tokens.
            available: how many of them lie in memory already.

        """
        known = self._look()
        best, length = "", available + LEAST_SAVE - 1
        for name, one in known.items():
            common = common_prefix(prompt, one.tokens, len(prompt) - 1)
            if common > length:
                best, length = name, common
        return self._read(self._folder / best, known[best].tokens) if best else None

    def keep(self, name: str, tokens: list[int], state: SavedState) -> None:
        """Write a state, unless it is there; what fails is logged, for it is a favour.

        Args:
            name: what it is found by when it has to go, see ``xnai.llm.engine.prefix_files``.
            tokens: what was computed.
            state: of the sequence that holds them, and nothing else.

        """
        path = self._folder / f"{name}{SUFFIX}"
        kept = self._known.get(path.name)
        if not _NAME.fullmatch(name) or (kept and kept.tokens == tokens and path.exists()):
            return
        size = len(_MAGIC) + _HEAD.size + 4 * len(tokens) + state.size
        if size > self._most:
            return
        try:
            self._make_room(size, path)
            if shutil.disk_usage(self._folder).free - size >= self._spare:
                _write(path, tokens, state)
        except OSError as exc:
            path.with_suffix(_PART).unlink(missing_ok=True)
            log_line("warning", f"what was read is not kept on disk: {exc.strerror}")

    def drop(self, path: Path) -> None:
        """Remove a file that is of no use, and say so."""
        log_line("warning", "a state that was kept on disk cannot be used; it is removed")
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def _look(self) -> dict[str, _Known]:
        """The files that are there now."""
        found: dict[str, _Known] = {}
        for path, stamp in _files(self._folder):
            known = self._known.get(path.name)
            if known is None or known.stamp != stamp:
                known = _Known(stamp, _tokens(path))
            found[path.name] = known
        self._known = found
        return found

    def _read(self, path: Path, tokens: list[int]) -> Offered | None:
        try:
            with path.open("r+b") as file:
                head = file.read(len(_MAGIC) + _HEAD.size)
                count, size, checksum = _HEAD.unpack(head[len(_MAGIC) :])
                own = np.fromfile(file, np.int32, count)
                state = np.fromfile(file, np.uint8, size)
                is_right = _checksum(own, state) == checksum and own.tolist() == tokens
                # It is used now. The worker may write, but not set a file's times.
                file.seek(0)
                file.write(_MAGIC)
        except FileNotFoundError:
            return None  # its document was deleted
        except (OSError, ValueError, struct.error):
            is_right = False
        if is_right:
            return Offered(tokens, state, path)
        self.drop(path)
        return None

    def _make_room(self, size: int, path: Path) -> None:
        others = [one for one in _files(self._folder) if one[0] != path]
        used = sum(stamp[1] for _, stamp in others)
        for other, stamp in sorted(others, key=lambda one: one[1][0]):
            if used + size <= self._most:
                return
            other.unlink(missing_ok=True)
            used -= stamp[1]


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """The files of a folder with the time in nanoseconds and the size of each."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(SUFFIX):
            with contextlib.suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                yield Path(entry.path), (about.st_mtime_ns, about.st_size)


def _tokens(path: Path) -> list[int]:
    """The tokens of a file; none if it is no such file."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC) + _HEAD.size)
            count, size, _ = _HEAD.unpack(head[len(_MAGIC) :])
            whole = len(head) + 4 * count + size == os.fstat(file.fileno()).st_size
            if not head.startswith(_MAGIC) or not whole:
                return []
            tokens: list[int] = np.fromfile(file, np.int32, count).tolist()
            return tokens
    except (OSError, ValueError, struct.error):
        return []


def _write(path: Path, tokens: list[int], state: SavedState) -> None:
    own = np.asarray(tokens, np.int32)
    part = path.with_suffix(_PART)
    with part.open("wb") as file:
        file.write(_MAGIC + _HEAD.pack(len(tokens), state.size, _checksum(own, state)))
        own.tofile(file)
        state.tofile(file)
    part.replace(path)


def _checksum(tokens: NDArray[np.int32], state: SavedState) -> int:
    return zlib.crc32(state.data, zlib.crc32(tokens.data))
