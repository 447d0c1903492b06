"""Whether this process is alone with a data folder, by a shared lock that all hold."""

import fcntl
from pathlib import Path
from typing import IO


class FolderClaim:
    """Held from start to close; ``alone`` says that nobody else held one when it was taken.

    What looks like the remains of a crash may be another process's work under way (``xnai
    ingest`` beside the server), so only a process that is alone cleans up.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = (folder / ".claim").open("ab")
        self.alone = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.alone = False
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def share(self) -> None:
        """Let others in, when cleaning up is done."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give the claim up."""
        self._file.close()
