"""Whether this process is alone with a data folder, by a shared lock that all hold."""

import fcntl
import os
from pathlib import Path
from typing import IO

CLAIM = ".claim"
_WORDS = b"This folder is XNAi's. By this file it is told from one whose disk is not mounted.\n"


class FolderClaim:
    """Held from start to close; ``alone`` says that nobody else held one when it was taken.

    The file that is locked is the folder's mark, too: a folder without it is not ours, or is not
    mounted. What looks like the remains of a crash may be another process's work under way (``xnai
    ingest`` beside the server), so only a process that is alone cleans up.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file: IO[bytes] = os.fdopen(os.open(folder / CLAIM, flags, 0o600), "ab")
        self.alone = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.alone = False
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if not os.fstat(self._file.fileno()).st_size:
            self._file.write(_WORDS)
            self._file.flush()

    def share(self) -> None:
        """Let others in, when cleaning up is done."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give the claim up."""
        self._file.close()
