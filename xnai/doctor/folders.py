"""Checks of the folders that libraries are kept in step with."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from xnai.doctor.finding import CheckSubject, Finding, ok, warning
from xnai.documents.folders.scan import ignore_rules
from xnai.errors import XnaiError


def check(subject: CheckSubject) -> Iterator[Finding]:
    """Check that each folder of XNAI_SYNC_FOLDERS is there and can be read."""
    for folder, library in subject.settings.sync_folders:
        reason = _fault(folder)
        if reason:
            text = (
                f"{folder} of XNAI_SYNC_FOLDERS: {reason}; the library {library!r} stays as it is"
            )
            yield warning("folders", text, f"ls -ld {shlex.quote(str(folder))}")
        else:
            yield ok("folders", f"{folder} is kept in step with the library {library!r}")


def _fault(folder: Path) -> str:
    try:
        is_empty = next(folder.iterdir(), None) is None
        ignore_rules(folder)
    except OSError as exc:
        return exc.strerror or "it cannot be read"
    except XnaiError as exc:
        return exc.message.rstrip(".")
    return "it is empty, and its disk may not be mounted" if is_empty else ""
