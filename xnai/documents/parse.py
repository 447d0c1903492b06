"""Reads a document page by page in a process of its own."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from xnai.documents.worker import Limits, worker
from xnai.types import Page


class Reading:
    """One reading of a document; ``total`` and ``notes`` become known on the way.

    Attributes:
        total: pages of the document, 0 while unknown.
        notes: what the reader should know, complete after the last page.
        process_id: the worker's, 0 before it runs.

    """

    def __init__(
        self, path: Path, media_type: str, name: str, max_characters: int, limits: Limits
    ) -> None:
        self.total = 0
        self.notes: tuple[str, ...] = ()
        self.process_id = 0
        self._name = name
        self._limits = limits
        self._request = {
            "command": "parse",
            "path": str(path),
            "media_type": media_type,
            "characters": max_characters,
        }

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the pages in their order, those without text included.

        Raises:
            XnaiError: FILE_DAMAGED, FILE_ENCRYPTED, FILE_EMPTY, FILE_NO_TEXT, FILE_TEXT_TOO_LONG,
                FILE_TOO_EXPENSIVE.

        """
        async with worker(self._name, self._limits, self._request) as running:
            self.process_id = running.pid
            parts: list[str] = []
            while True:
                frame = await running.line()
                if "text" in frame:
                    parts.append(frame["text"])
                    if not frame["more"]:
                        yield Page(frame["number"], "".join(parts))
                        parts = []
                elif "pages" in frame:
                    self.total = frame["pages"]
                else:
                    self.notes = tuple(frame["notes"])
                    return


async def read_all(reading: Reading) -> list[Page]:
    """Read all pages at once."""
    async with aclosing(reading.pages()) as pages:
        return [page async for page in pages]
