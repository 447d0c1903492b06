"""Files on their way into the models folder: kept by their hash, whole and checked or not there."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from xnai.errors import DISK_TOO_SMALL, DOWNLOAD_RUNNING, XnaiError
from xnai.llm.hardware import human_size

PARTS = ".download"  # folder within the models folder, so that a finished file is only renamed
SPARE_BYTES = 200_000_000  # that a download leaves on the disk


def part_of(folder: Path, sha256: str) -> Path:
    """Where the part of a file is; by its content, so that nothing else is gone on with."""
    return folder / PARTS / f"{sha256[:32]}.part"


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def growing(part: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a part for appending, alone.

    Raises:
        XnaiError: DOWNLOAD_RUNNING, another process has it open.

    """
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab+") as target:
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise XnaiError(DOWNLOAD_RUNNING, name=name) from exc
        yield target


def to_disk(target: IO[bytes]) -> None:
    """Have what was written reach the disk, so that a renamed file is never an empty one."""
    target.flush()
    os.fsync(target.fileno())


def remove_folder(folder: Path) -> None:
    """Remove the folder of parts if nothing is left in it."""
    with contextlib.suppress(OSError):
        (folder / PARTS).rmdir()


def free_bytes(folder: Path) -> int:
    """Bytes left on the disk of a folder that need not be there yet."""
    place = next(p for p in (folder, *folder.parents) if p.exists())
    return shutil.disk_usage(place).free


def check_room(folder: Path, name: str, needed: int) -> None:
    """Refuse what does not fit on the disk.

    Raises:
        XnaiError: DISK_TOO_SMALL.

    """
    free = free_bytes(folder)
    if needed + SPARE_BYTES > free:
        raise XnaiError(
            DISK_TOO_SMALL,
            name=name,
            needed=human_size(needed + SPARE_BYTES),
            folder=folder,
            free=human_size(free),
        )


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether a file is the one that is meant, byte for byte; blocks."""
    if size_of(path) != size:
        return False
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() == sha256
