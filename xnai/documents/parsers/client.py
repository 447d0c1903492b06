"""Reads a document page by page in a process of its own."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from xnai.documents.parsers.frames import (
    CELL,
    REPORT_CHARACTERS,
    REPORT_LINES,
    ROWS_SHARE,
    SECTION_CHARACTERS,
    Notes,
    PageBlocks,
    PageCount,
    PagePart,
    Parse,
    Words,
)
from xnai.documents.parsers.process import Limits, Worker, worker
from xnai.errors import FILE_TEXT_TOO_LONG, INTERNAL, XnaiError
from xnai.types import UNITS, Block, Page, PlacedWord, ReadingReport

_PAGES = 200_000  # of a document, those without text included
_FRAMES = 4 * _PAGES


class ParserRun:
    """One reading of a document; what it finds becomes known on the way.

    Attributes:
        total: pages of the document, 0 while unknown; ``tell_total`` is told them.
        notes: what the reader should know, complete after the last page.
        report: what the reader says of its own work, complete after the last page.
        process_id: the worker's, 0 before it runs.
        was_killed: whether that was ended from outside, which says nothing about the document.

    """

    def __init__(
        self, path: Path, media_type: str, name: str, max_characters: int, limits: Limits
    ) -> None:
        self.total = 0
        self.tell_total: Callable[[int], None] = lambda _: None
        self.notes: tuple[str, ...] = ()
        self.report = ReadingReport()
        self.process_id = 0
        self.was_killed = False
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
            try:
                async with aclosing(self._read(running)) as pages:
                    async for page in pages:
                        yield page
            finally:
                self.was_killed = running.was_killed

    async def _read(self, running: Worker) -> AsyncGenerator[Page, None]:
        # The reader keeps to the same limits, unless a file has taken it over.
        room, left = self._characters, _FRAMES
        # Rows have the reader's room, and each block has a character at least.
        parts = _Parts((ROWS_SHARE + 1) * self._characters)
        while True:
            frame = await running.result(Words, PageBlocks, PagePart, PageCount, Notes)
            left -= 1
            if isinstance(frame, (Words, PagePart)):
                room -= len(frame.words if isinstance(frame, Words) else frame.text)
            if room < 0 or left < 0:
                raise XnaiError(FILE_TEXT_TOO_LONG, name=self._name, limit=self._characters)
            match frame:
                case Words():
                    parts.words += frame.words
                case PageBlocks():
                    parts.add_blocks(frame)
                case PagePart():
                    parts.texts.append(frame.text)
                    if not frame.more:
                        yield parts.page(frame)
                case PageCount():
                    self.total = min(max(frame.pages, 0), _PAGES)
                    self.tell_total(self.total)
                case Notes():
                    self.notes, self.report = frame.notes, _checked(frame.report)
                    return


class _Parts:
    """What has come of a page by now; all rows of a document may take so much room."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.texts: list[str] = []
        self.words: list[PlacedWord] = []
        self.blocks: list[Block] = []
        self._rows: list[tuple[str, ...]] = []  # of the last block

    def add_blocks(self, frame: PageBlocks) -> None:
        """Take blocks, or more rows of the last one."""
        self._room -= len(frame.blocks)
        self._room -= sum(
            len(cell) + CELL for block in frame.blocks for row in block.rows for cell in row
        )
        if self._room < 0 or (frame.goes_on and not (self.blocks and len(frame.blocks) == 1)):
            raise XnaiError(INTERNAL)
        if frame.goes_on:
            self._rows += frame.blocks[0].rows
            return
        self._end_block()
        self.blocks += frame.blocks
        self._rows = list(self.blocks[-1].rows) if frame.blocks else self._rows

    def _end_block(self) -> None:
        if self.blocks:
            self.blocks[-1] = self.blocks[-1]._replace(rows=tuple(self._rows))

    def page(self, last: PagePart) -> Page:
        """The page that ends with this part, once what is said of it is found to be within it."""
        self._end_block()
        text = "".join(self.texts)
        found = Page(
            last.number, text, tuple(self.words), last.native, last.section, tuple(self.blocks)
        )
        self.texts, self.words, self.blocks, self._rows = [], [], [], []
        _require_inside(found)
        return found


def _require_inside(page: Page) -> None:
    length = len(page.text)
    if not 0 <= (page.native or 0) <= length or len(page.section) > SECTION_CHARACTERS:
        raise XnaiError(INTERNAL)
    for word in page.words:
        box = (word.left, word.top, word.right, word.bottom)
        if not (0 <= word.start <= word.end <= length and 0 <= min(box) <= max(box) <= UNITS):
            raise XnaiError(INTERNAL)
        if not 0 <= word.confidence <= 100:  # noqa: PLR2004 - per cent
            raise XnaiError(INTERNAL)
    at = 0
    for block in page.blocks:
        ends = block.box or (0,)
        if not (at <= block.start <= block.end <= length and 0 <= min(ends) <= max(ends) <= UNITS):
            raise XnaiError(INTERNAL)
        at = block.end


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
