"""What a command says when it fails."""

import traceback
from pathlib import Path

from xnai.errors import COMMAND_FAILED, FILE_UNREADABLE, XnaiError

FAILED = 2  # exit code
_ROOT = Path(__file__).resolve().parent.parent


def catalogued(exc: Exception) -> XnaiError:
    """The error of the catalogue for whatever a command raises.

    Of an unforeseen one its class and place are told, which a report needs, and never its text,
    which may quote a document or a key.
    """
    if isinstance(exc, XnaiError):
        return exc
    if isinstance(exc, OSError) and exc.filename is not None:
        path, reason = exc.filename, exc.strerror or "it cannot be opened"
        return XnaiError(FILE_UNREADABLE, path=path, reason=reason)
    return XnaiError(COMMAND_FAILED, fault=type(exc).__name__, where=_place(exc))


def _place(exc: Exception) -> str:
    """The last line of XNAi's own that the exception passed."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [f for f in frames if Path(f.filename).is_relative_to(_ROOT / "xnai")] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "an unknown place"
