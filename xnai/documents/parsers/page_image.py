"""Pictures of PDF pages with the cited words marked, made in the worker process."""

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from xnai.documents.parsers.frames import Box, Locate, Picture, Places, Render
from xnai.documents.parsers.process import Limits, worker
from xnai.errors import NOT_FOUND, XnaiError
from xnai.types import Document

MIN_WIDTH, MAX_WIDTH = 200, 2000  # pixels
MAX_CACHED = 200  # pictures
NO_CHARACTERS = -1  # of a page whose text is not a PDF's own

_SECONDS = 30.0
_AT_ONCE = 2


class Marked(NamedTuple):
    """A range of a page's text.

    Attributes:
        start: where it begins.
        end: where it ends.
        characters: how many of the text a PDF has for itself, 0 if that is not known,
            ``NO_CHARACTERS`` if it has none.
        boxes: left, top, right and bottom of words that have places of their own, in ten
            thousandths of the page.

    """

    start: int
    end: int
    characters: int = 0
    boxes: tuple[Box, ...] = ()


class PageImages:
    """Makes pictures and keeps the latest ones under ``<folder>/<document id>/``."""

    def __init__(self, folder: Path, memory_mb: int) -> None:
        self._folder = folder
        self._limits = Limits(_SECONDS, memory_mb)
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def image(
        self,
        document: Document,
        original: Path,
        page: int,
        marked: Marked,
        width: int,
    ) -> bytes:
        """Return a page as PNG, ``width`` pixels wide (clamped), with a text range marked.

        Raises:
            XnaiError: NOT_FOUND for a page the document has not; FILE_DAMAGED,
                FILE_TOO_EXPENSIVE where it cannot be drawn.

        """
        start, end = max(marked.start, 0), max(marked.end, 0)
        width = min(max(width, MIN_WIDTH), MAX_WIDTH)
        cached = self._folder / document.id / f"{page}-{start}-{end}-{width}.png"
        found = await asyncio.to_thread(_read, cached)
        if found is not None:
            return found
        task = Render(
            path=str(original),
            media_type=document.media_type,
            page=page,
            start=start,
            end=end,
            width=width,
            characters=marked.characters,
            boxes=marked.boxes,
        )
        async with self._turn, worker(document.file_name, self._limits, task) as running:
            size = (await running.result(Picture)).size
            if size is None:
                raise XnaiError(NOT_FOUND, what="page", name=page)
            png = await running.data(size)
        await asyncio.to_thread(self._keep, cached, png)
        return png

    async def places(
        self, document: Document, original: Path, page: int, marked: Marked
    ) -> tuple[Box, ...]:
        """Return where a range of a page's own text stands, in ten thousandths of the page."""
        task = Locate(str(original), page, marked.start, marked.end, marked.characters)
        async with self._turn, worker(document.file_name, self._limits, task) as running:
            return (await running.result(Places)).boxes

    def _keep(self, path: Path, png: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(png)
            part.rename(path)
            self._trim()
        except OSError:  # a picture that cannot be kept was still made
            return

    def _trim(self) -> None:
        pictures = sorted(self._folder.glob("*/*.png"), key=lambda path: path.stat().st_mtime)
        for path in pictures[:-MAX_CACHED]:
            path.unlink(missing_ok=True)

    def remove(self, document_id: str) -> None:
        """Forget the pictures of a document; blocks."""
        shutil.rmtree(self._folder / document_id, ignore_errors=True)

    def clean(self, known: Collection[str]) -> None:
        """Forget the pictures of documents that are not known; blocks."""
        for folder in self._folder.glob("*"):
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    path.touch()
    return data
