"""The folders in which workers keep what they have read of documents.

One folder for each model, copy and build of the engine, since a state is good for these alone. A
file is named after the document whose text it holds, or begins with ``KEPT_HEAD`` if it holds none:
it goes when the document goes, and may go at any time, for it can be read again.
"""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import structlog

from xnai.llm.protocol import KEPT_HEAD

FOLDER = "prefixes"
_HALF = ".part"
_SUFFIXES = {".state", _HALF}
_MEGABYTE = 1_000_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Room:
    """A folder for one worker, and how many bytes it may put there."""

    folder: Path
    most_bytes: int


class PrefixFiles:
    """All of these files; each method blocks.

    Args:
        data_dir: the data folder.
        megabytes: what they may take together; 0: nothing is kept.

    """

    def __init__(self, data_dir: Path, megabytes: int) -> None:
        self._folder = data_dir / FOLDER
        self._most = megabytes * _MEGABYTE
        self._told = False  # that no folder can be made

    def room(self, key: str) -> Room | None:
        """Make the folder for what is read under a key; None if nothing is kept, or none is made.

        Others' files make room: they get half of all at most.
        """
        if not self._most:
            return None
        own = self._folder / key
        try:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            if not self._told:
                _log.warning("what_is_read_is_not_kept", folder=str(own), reason=exc.strerror)
            self._told = True
            return None
        self._told = False
        others = sorted(
            ((path, *_about(path)) for path in self._files() if path.parent != own),
            key=lambda one: one[1],
        )
        used = sum(size for _, _, size in others)
        for path, _, size in others:
            if used <= self._most // 2:
                break
            path.unlink(missing_ok=True)
            used -= size
        self._drop_empty(own)
        return Room(own, self._most - used)

    def remove(self, document_id: str) -> None:
        """Delete what was read of a document."""
        for path in self._files():
            if path.stem == document_id:
                path.unlink(missing_ok=True)

    def clean(self, known: Collection[str]) -> None:
        """Delete what was read of documents that are gone, and what is half written.

        Args:
            known: ids of the documents that there are.

        """
        for path in self._files():
            is_ours = path.stem in known or path.stem.startswith(KEPT_HEAD)
            if path.suffix == _HALF or not is_ours:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*/*") if path.suffix in _SUFFIXES]

    def _drop_empty(self, own: Path) -> None:
        for folder in self._folder.iterdir():
            if folder != own:
                with contextlib.suppress(OSError):  # it holds something
                    folder.rmdir()


def _about(path: Path) -> tuple[int, int]:
    """When a file was used last, and its size."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size
