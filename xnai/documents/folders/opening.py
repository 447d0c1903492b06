"""Opens a file of a folder, and nothing that lies elsewhere."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HANDLES = Path("/proc/self/fd")


def opened(folder: Path, path: str) -> BinaryIO:
    """Open a file below a folder for reading; blocks.

    What became a link or a pipe since the folder was looked at is refused, and so is what lies
    elsewhere because one of the folders on the way became a link.

    Raises:
        OSError: it cannot be read, or is no file of the folder.

    """
    file = os.fdopen(os.open(folder / path, _FLAGS), "rb")
    fault = _fault(file, folder / path)
    if fault:
        file.close()
        raise OSError(0, fault)
    return file


def _fault(file: BinaryIO, place: Path) -> str:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return "it is no file any more"
    if _HANDLES.exists() and (_HANDLES / str(file.fileno())).readlink() != place:
        return "it lies elsewhere, or was moved meanwhile"
    return ""
