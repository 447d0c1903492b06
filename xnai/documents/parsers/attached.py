"""Files that lie within another: attachments, members of an archive; worker process only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from xnai.documents.parsers.seen import ReadPages, Seen


class Within(NamedTuple):
    """What a file lies in: characters that are left for it, what is seen, and what reads it."""

    room: int
    seen: Seen
    read: ReadPages


@contextmanager
def as_file(content: bytes) -> Iterator[Path | None]:
    """The content under a path that readers can open, in memory alone; only Linux has such."""
    if sys.platform != "linux":
        yield None
        return
    number = os.memfd_create("attachment")
    try:
        with os.fdopen(number, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{number}")
    finally:
        os.close(number)


def text_of_file(path: Path, media_type: str, name: str, within: Within) -> str:
    """Return all that a file says, its pages with their numbers."""
    seen = within.seen
    own = Seen(recognise=seen.recognise, able=seen.able, convert=seen.convert)
    pages = [page.text for page in within.read(path, media_type, within.room, own)]
    if own.unreadable:
        seen.left_out.append(f"{name} (in part)")
    seen.tables += own.tables
    seen.forms += own.forms
    if len(pages) == 1:
        return pages[0]
    return "\n\n".join(f"Page {n}:\n{text}" for n, text in enumerate(pages, 1) if text.strip())
