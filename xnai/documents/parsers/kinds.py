"""Asks a confined process what a file is; the server itself compares a few bytes at most."""

import asyncio
from pathlib import Path
from weakref import WeakValueDictionary

from xnai.documents.media_types import PDF
from xnai.documents.parsers import magic, office_converter
from xnai.documents.parsers.frames import MediaType, Sniff
from xnai.documents.parsers.process import Limits, worker
from xnai.errors import FILE_TYPE_UNSUPPORTED, XnaiError

_SECONDS = 30.0  # a tenth of one is enough, but the machine may be busy
_AT_ONCE = 4


class Kinds:
    """Tells media types; of each owner one file at a time is looked into, of all of them a few."""

    def __init__(self, memory_mb: int) -> None:
        self._limits = Limits(_SECONDS, memory_mb)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._owners: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def media_type(self, path: Path, name: str, owner: str) -> str:
        """Return the media type of a file by its content.

        Raises:
            XnaiError: FILE_TYPE_UNSUPPORTED with what was found, FILE_ENCRYPTED for a protected
                Office file, FILE_TOO_EXPENSIVE or FILE_DAMAGED where nothing can be told.

        """
        head = await asyncio.to_thread(_head, path)
        if head.startswith(magic.PDF_HEADER):
            return PDF
        if found := _refused(head):
            raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found=found)
        task = Sniff(str(path), name)
        # One owner's many files wait for each other, not others for them.
        own = self._owners.setdefault(owner, asyncio.Lock())
        async with own, self._turn, worker(name, self._limits, task) as running:
            found = (await running.result(MediaType)).media_type
        if found in magic.NOT_CONVERTED and not office_converter.program_folder():
            raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found=magic.NOT_CONVERTED[found])
        return found


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(magic.HEAD)


def _refused(head: bytes) -> str:
    """What a file is that its first bytes rule out; empty if more of it has to be looked at."""
    if magic.PDF_HEADER in head or head.startswith((*magic.ZIP, magic.OLE)):
        return ""
    known = magic.known(head)
    return known.found if known is not None and known.is_sure else ""
