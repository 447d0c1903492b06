"""Reads a document page by page in a process of its own."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from xnai.documents.parsers.frames import (
    REPORT_CHARACTERS,
    REPORT_LINES,
    Notes,
    PageCount,
    PagePart,
    Parse,
    Words,
)
from xnai.documents.parsers.process import Limits, Worker, worker
from xnai.errors import FILE_TEXT_TOO_LONG, INTERNAL, XnaiError
from xnai.types import UNITS, Page, PlacedWord, ReadingReport

_PAGES = 200_000  # of a document, those without text included


class ParserRun:
    """One reading of a document; what it finds becomes known on the way.

    Attributes:
        total: pages of the document, 0 while unknown.
        notes: what the reader should know, complete after the last page.
        report: what the reader says of its own work, complete after the last page.
        process_id: the worker's, 0 before it runs.

    """

    def __init__(
        self, path: Path, media_type: str, name: str, max_characters: int, limits: Limits
    ) -> None:
        self.total = 0
        self.notes: tuple[str, ...] = ()
        self.report = ReadingReport()
        self.process_id = 0
        self._name = name
        self._limits = limits
        self._characters = max_characters
        self._task = Parse(str(path), media_type, max_characters)

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the pages in their order, those without text included.

        Raises:
            XnaiError: FILE_DAMAGED, FILE_ENCRYPTED, FILE_EMPTY, FILE_NO_TEXT, FILE_TEXT_TOO_LONG,
                FILE_TOO_EXPENSIVE.

        """
        async with worker(self._name, self._limits, self._task) as running:
            self.process_id = running.pid
            async with aclosing(self._read(running)) as pages:
                async for page in pages:
                    yield page

    async def _read(self, running: Worker) -> AsyncGenerator[Page, None]:
        # The reader keeps to the same limits, unless a file has taken it over.
        room, left = self._characters, _PAGES
        parts: list[str] = []
        words: list[PlacedWord] = []
        while True:
            frame = await running.result(Words, PagePart, PageCount, Notes)
            if isinstance(frame, (Words, PagePart)):
                room -= len(frame.words if isinstance(frame, Words) else frame.text)
                left -= 1
                if room < 0 or left < 0:
                    raise XnaiError(FILE_TEXT_TOO_LONG, name=self._name, limit=self._characters)
            if isinstance(frame, Words):
                words += frame.words
            elif isinstance(frame, PagePart):
                parts.append(frame.text)
                if not frame.more:
                    yield _page(frame, "".join(parts), tuple(words))
                    parts, words = [], []
            elif isinstance(frame, PageCount):
                self.total = frame.pages
            elif isinstance(frame, Notes):
                self.notes, self.report = frame.notes, _checked(frame.report)
                return


def _page(last: PagePart, text: str, words: tuple[PlacedWord, ...]) -> Page:
    """Return a page, once its words and what is its own are found to be within it."""
    if not 0 <= (last.native or 0) <= len(text):
        raise XnaiError(INTERNAL)
    for word in words:
        box = (word.left, word.top, word.right, word.bottom)
        if not (0 <= word.start <= word.end <= len(text) and 0 <= min(box) <= max(box) <= UNITS):
            raise XnaiError(INTERNAL)
        if not 0 <= word.confidence <= 100:  # noqa: PLR2004 - per cent
            raise XnaiError(INTERNAL)
    return Page(last.number, text, words, last.native)


def _checked(report: ReadingReport) -> ReadingReport:
    """Return a report that is no longer than a reader may make it."""
    lists = (report.hidden, report.removed_lines, report.warnings)
    if any(len(lines) > REPORT_LINES for lines in lists) or not min(report[:5]) >= 0:
        raise XnaiError(INTERNAL)
    if any(len(line) > REPORT_CHARACTERS for lines in lists for line in lines):
        raise XnaiError(INTERNAL)
    return report


async def read_all(reading: ParserRun) -> list[Page]:
    """Read all pages at once."""
    async with aclosing(reading.pages()) as pages:
        return [page async for page in pages]
