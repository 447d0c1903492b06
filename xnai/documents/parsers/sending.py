"""Pages on their way to the parent, in lines that are short enough for it; worker process only."""

from collections.abc import Callable, Iterator, Sequence

from xnai.documents.blocks import blocks_of, heading_text
from xnai.documents.parsers import row_log
from xnai.documents.parsers.frames import (
    CELL,
    ROWS_SHARE,
    SECTION_CHARACTERS,
    FromParser,
    PageBlocks,
    PagePart,
    Words,
)
from xnai.types import Block, Page

PART_CHARACTERS = 32_000  # of one line, so that the parent's event loop decodes it in no time
PART_WORDS = 1_000  # of one line, for the same reason
_PART_BLOCKS = 500

Rows = Sequence[tuple[str, ...]]


class PageSender:
    """Sends the pages of a document of at most so many characters, with what they are made of."""

    def __init__(self, send: Callable[[FromParser], None], limit: int, *, markdown: bool) -> None:
        self._send = send
        self._markdown = markdown
        self._room = ROWS_SHARE * limit
        self._section = ""

    def page(self, page: Page) -> None:
        """Send a page."""
        blocks = page.blocks or tuple(blocks_of(page.text, row_log.rows(), markdown=self._markdown))
        for start in range(0, len(page.words), PART_WORDS):
            self._send(Words(page.words[start : start + PART_WORDS]))
        for frame in self._frames(blocks):
            self._send(frame)
        for start in range(0, max(len(page.text), 1), PART_CHARACTERS):
            end = start + PART_CHARACTERS
            more = end < len(page.text)
            part = page.text[start:end]
            self._send(PagePart(page.number, part, more, page.native, self._section))
        headings = [block for block in blocks if block.kind == "heading"]
        if headings:
            self._section = heading_text(page.text, headings[-1])[:SECTION_CHARACTERS]

    def _frames(self, blocks: Sequence[Block]) -> Iterator[PageBlocks]:
        batch: list[Block] = []
        length = 0
        for block in blocks:
            first, *others = self._parts(block.rows)
            cost = sum(map(_cost, first))
            if batch and (len(batch) >= _PART_BLOCKS or length + cost > PART_CHARACTERS):
                yield PageBlocks(tuple(batch))
                batch, length = [], 0
            batch.append(block._replace(rows=tuple(first)))
            length += cost
            if others:
                yield PageBlocks(tuple(batch))
                batch, length = [], 0
            for rows in others:
                yield PageBlocks((block._replace(rows=tuple(rows)),), goes_on=True)
        if batch:
            yield PageBlocks(tuple(batch))

    def _parts(self, rows: Rows) -> list[Rows]:
        """The rows of a block by the line; none where they would take more than is left."""
        costs = [_cost(row) for row in rows]
        if max(costs, default=0) > PART_CHARACTERS or sum(costs) > self._room:
            return [()]
        self._room -= sum(costs)
        parts: list[list[tuple[str, ...]]] = [[]]
        length = 0
        for row, cost in zip(rows, costs, strict=True):
            if length + cost > PART_CHARACTERS:
                parts.append([])
                length = 0
            parts[-1].append(row)
            length += cost
        return list(parts)


def _cost(row: tuple[str, ...]) -> int:
    return sum(map(len, row)) + CELL * len(row)
