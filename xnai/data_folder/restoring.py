"""Moves a restored backup into place, so that the next start finishes a restore that died.

A restore is copied into ``.restore`` and compared first; the file ``ready`` in it says that it is
complete. Only then are the pieces renamed, and the rest of that can be done at any time.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from xnai.errors import BACKUP_PLACE_TAKEN, FOLDER_UNUSABLE, XnaiError

NAME, READY = ".restore", "ready"

_log = structlog.get_logger(__name__)


def begin(folder: Path) -> Path:
    """Make an empty draft in a data folder; an incomplete one is discarded."""
    draft = folder / NAME
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    return draft


def commit(folder: Path, names: Sequence[str]) -> None:
    """Mark a draft as complete, then move its pieces into place."""
    ready = folder / NAME / READY
    with ready.open("w", encoding="utf-8") as file:
        file.write("\n".join(names))
        file.flush()
        os.fsync(file.fileno())
    finish(folder)


def is_unfinished(folder: Path) -> bool:
    """Return whether a restore was complete and is not in its place yet."""
    return (folder / NAME / READY).is_file()


def finish(folder: Path) -> bool:
    """Move what is left of a complete draft into place; False if there is none.

    Raises:
        XnaiError: BACKUP_PLACE_TAKEN, something else lies there; FOLDER_UNUSABLE.

    """
    if not is_unfinished(folder):
        return False
    draft = folder / NAME
    try:
        names = (draft / READY).read_text("utf-8").split("\n")
        left = [name for name in names if (draft / name).exists()]
        for name in left:
            if (folder / name).exists():
                raise XnaiError(BACKUP_PLACE_TAKEN, path=folder / name)
            (draft / name).replace(folder / name)
        shutil.rmtree(draft)
    except OSError as exc:
        reason = exc.strerror or "unknown error"
        raise XnaiError(FOLDER_UNUSABLE, folder=folder, reason=reason) from exc
    _log.info("restore_finished", pieces=len(left))
    return True
