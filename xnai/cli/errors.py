"""The message of a command that fails."""

import errno
import traceback
from pathlib import Path

from xnai.errors import COMMAND_FAILED, DISK_FULL, FILE_UNREADABLE, XnaiError

FAILED = 2  # exit code
_ROOT = Path(__file__).resolve().parents[2]


def catalogued(exc: Exception) -> XnaiError:
    """Return the catalogued error for whatever a command raises.

    Of an unforeseen exception its class and place are shown, which a report needs, and never its
    text, which may quote a document or a key.
    """
    if isinstance(exc, XnaiError):
        return exc
    if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        # A write tells no name; it may be of the data folder, or of what the output goes to.
        place = exc.filename or "the place where this command writes"
        return XnaiError(DISK_FULL, folder=place, free="too little")
    if isinstance(exc, OSError) and exc.filename is not None:
        path, reason = exc.filename, exc.strerror or "it cannot be opened"
        return XnaiError(FILE_UNREADABLE, path=path, reason=reason)
    return XnaiError(COMMAND_FAILED, fault=type(exc).__name__, where=_location(exc))


def _location(exc: Exception) -> str:
    """Return the last line of our own code that the exception passed."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [f for f in frames if Path(f.filename).is_relative_to(_ROOT / "xnai")] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "an unknown place"
