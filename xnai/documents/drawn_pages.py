"""Pages that are shown as they look: their pictures, and what lies over these."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from xnai.documents.media_types import DRAWN, PDF
from xnai.documents.parsers.frames import Box
from xnai.documents.parsers.page_image import NO_CHARACTERS, Marked, PageImages
from xnai.errors import BAD_REQUEST, XnaiError
from xnai.retrieval.protocol import Index
from xnai.types import Document, PlacedWord


class RecognisedWord(NamedTuple):
    """A word that is no text in its document, and its box in units of the page."""

    text: str
    box: Box


class PageLayer(NamedTuple):
    """What lies over a page: boxes of the words that are marked, and what was recognised on it."""

    marks: tuple[Box, ...]
    words: tuple[RecognisedWord, ...]


class DrawnPages:
    """Pages of PDFs and photos.

    Args:
        index: has the texts of pages.
        images: makes pictures.
        original: returns where a document's file lies, after looking whether it is there.

    """

    def __init__(
        self,
        index: Index,
        images: PageImages,
        original: Callable[[Document], Awaitable[Path]],
    ) -> None:
        self._index = index
        self._images = images
        self._original = original

    async def image(self, document: Document, page: int, start: int, end: int, width: int) -> bytes:
        """Return a page as PNG with the words of ``[start, end)`` marked.

        Raises:
            XnaiError: BAD_REQUEST for a document that has no pages to draw, NOT_FOUND for a page
                it has not.

        """
        _require_drawn(document)
        _, _, marked = await self._page(document, page, start, end)
        path = await self._original(document)
        return await self._images.image(document, path, page, marked, width)

    async def layer(self, document: Document, page: int, start: int, end: int) -> PageLayer:
        """Return what lies over a page; raises what ``image`` does."""
        _require_drawn(document)
        text, placed, marked = await self._page(document, page, start, end)
        words = tuple(RecognisedWord(text[word.start : word.end], _box(word)) for word in placed)
        boxes: tuple[Box, ...] = ()
        if document.media_type == PDF and marked.start < marked.end and marked.characters >= 0:
            path = await self._original(document)
            boxes = await self._images.places(document, path, page, marked)
        return PageLayer((*boxes, *marked.boxes), words)

    async def _page(
        self, document: Document, page: int, start: int, end: int
    ) -> tuple[str, tuple[PlacedWord, ...], Marked]:
        text = await self._index.page_text(document.id, page) or ""
        native, words, *_ = await self._index.page_details(document.id, page)
        boxes = tuple(_box(word) for word in words if word.start < end and start < word.end)
        own = len(text) if native is None else native or NO_CHARACTERS
        return text, words, Marked(start, end, own, boxes)


def _box(word: PlacedWord) -> Box:
    return word.left, word.top, word.right, word.bottom


def _require_drawn(document: Document) -> None:
    if document.media_type not in DRAWN:
        raise XnaiError(
            BAD_REQUEST,
            problem=f"{document.file_name!r} has no pages to draw.",
            fix="Ask for its text instead.",
        )
