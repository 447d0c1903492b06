"""What of a document's text is shown at once: headings, lists and tables as such, in parts.

A part is so much as a browser shows at ease. The passage that is asked for is marked in it: words
in a paragraph, an item or a heading, whole rows in a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from xnai.documents.page_content import PageBlock
from xnai.text.raw_lines import raw_lines

PART = 12_000  # characters of a text that are shown at once, more or less
_SLACK = 2_000  # characters before that in which the end of a paragraph or line is looked for
_ITEM = ("- ", "* ", "+ ", "\u2022 ", "\u25aa ", "\u2013 ")
_DIVIDER = frozenset("|-: \t")
_DEEPEST = 6  # heading


class Run(NamedTuple):
    """Words that are all marked, or none of them."""

    text: str
    marked: bool


class PieceRow(NamedTuple):
    """A row of a table, or a label with its value."""

    cells: tuple[str, ...]
    marked: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text as it is shown.

    ``lines`` are its words: one line, or one for each item of a list; ``rows`` those of a table or
    form, below ``head``.
    """

    kind: str
    start: int
    end: int
    lines: tuple[tuple[Run, ...], ...] = ()
    level: int = 2  # of a heading
    head: tuple[str, ...] = ()
    rows: tuple[PieceRow, ...] = ()

    @property
    def marked(self) -> bool:
        """Whether something in it is marked."""
        return any(row.marked for row in self.rows) or any(
            run.marked for line in self.lines for run in line
        )


@dataclass(frozen=True, slots=True)
class TextPart:
    """Pieces that are shown at once; ``number`` of ``count`` begins at 0."""

    number: int
    count: int
    pieces: tuple[Piece, ...]

    @property
    def marked(self) -> bool:
        """Whether something in it is marked."""
        return any(piece.marked for piece in self.pieces)


def part_of(
    text: str, blocks: Sequence[PageBlock], start: int, end: int, number: int | None = None
) -> TextPart:
    """Return a part of a text, that of ``start`` unless another is named; counts begin at 0.

    Offsets count code points. What lies outside of the text is cut off.
    """
    parts = _grouped(list(_pieces(text, blocks)))
    if number is None:
        ends = [group[-1].end if group else len(text) for group in parts]
        number = next((at for at, last in enumerate(ends) if start < last), len(parts) - 1)
    number = min(number, len(parts) - 1)
    shown = (_filled(text, piece, (start, end)) for piece in parts[number])
    return TextPart(number, len(parts), tuple(shown))


def _grouped(pieces: Sequence[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for piece in pieces:
        if parts[-1] and piece.end - parts[-1][0].start > PART:
            parts.append([])
        parts[-1].append(piece)
    return parts


def _pieces(text: str, blocks: Sequence[PageBlock]) -> Iterator[Piece]:
    """Cut a text into pieces; what stands in no block is a paragraph."""
    at = 0
    for block in sorted(blocks, key=lambda block: block.start):
        if block.start < at or block.end <= block.start:
            continue
        yield from _cut("paragraph", text, at, block.start)
        yield from _piece_of(text, block)
        at = block.end
    yield from _cut("paragraph", text, at, len(text))


def _piece_of(text: str, block: PageBlock) -> Iterator[Piece]:
    if block.kind in {"table", "form"}:
        yield from _table(text, block)
    elif block.kind == "heading" and block.end - block.start <= PART:
        marks = len(text[block.start : block.end]) - len(text[block.start : block.end].lstrip("#"))
        level = min(max(marks, 1) + 1, _DEEPEST)
        yield Piece("heading", block.start, block.end, level=level)
    else:
        yield from _cut(block.kind, text, block.start, block.end)


def _cut(kind: str, text: str, start: int, end: int) -> Iterator[Piece]:
    """Cut a stretch at the ends of its paragraphs, else of its lines, else where it has to be."""
    while end - start > PART:
        low, high = start + PART - _SLACK, start + PART
        cut = text.rfind("\n\n", low, high)
        cut = cut + 2 if cut >= 0 else text.rfind("\n", low, high) + 1
        yield Piece(kind, start, cut or high)
        start = cut or high
    if text[start:end].strip():
        yield Piece(kind, start, end)


def _table(text: str, block: PageBlock) -> Iterator[Piece]:
    """Cut a table between its rows, its labels before each piece; as text if rows are no lines."""
    lines = [
        (block.start + first, block.start + last)
        for first, last in raw_lines(text[block.start : block.end])
        if not _DIVIDER.issuperset(text[block.start + first : block.start + last])
    ]
    rows, head = block.rows, tuple[str, ...]()
    if block.kind == "table" and rows:
        head, rows = rows[0], rows[1:]
        if len(lines) == len(block.rows):  # the labels have a line of their own
            lines = lines[1:]
    if block.kind == "form" and len(lines) != len(rows):
        lines = _spread(text, lines, rows)
    if not rows or len(lines) != len(rows):
        yield from _cut("paragraph", text, block.start, block.end)
        return
    head = head if any(head) else tuple[str, ...]()
    sizes = [end - start for start, end in lines]
    starts = [0, *accumulate(sizes)]
    first = 0
    while first < len(rows):
        last = first + 1
        while last < len(rows) and starts[last + 1] - starts[first] <= PART // 2:
            last += 1
        begin = lines[first][0] if first else block.start
        stop = lines[last][0] if last < len(rows) else block.end
        told = tuple(PieceRow(row, marked=False) for row in rows[first:last])
        yield Piece(block.kind, begin, stop, head=head, rows=told)
        first = last


def _spread(
    text: str, lines: Sequence[tuple[int, int]], rows: Sequence[tuple[str, ...]]
) -> list[tuple[int, int]]:
    """Return the line of each field of a form: a line may have several of them."""
    found: list[tuple[int, int]] = []
    waiting = list(lines)
    for label, *_ in rows:
        while waiting and label not in text[slice(*waiting[0])]:
            waiting.pop(0)
        if not waiting:
            return []
        found.append(waiting[0])
    return found


def _filled(text: str, piece: Piece, mark: tuple[int, int]) -> Piece:
    """Return a piece with its words, those of the passage marked."""
    if piece.rows:
        return replace(piece, rows=tuple(_rows(text, piece, mark)))
    if piece.kind == "list":
        return replace(piece, lines=tuple(_items(text, piece, mark)))
    start = piece.start
    if piece.kind == "heading":
        said = text[start : piece.end]
        start += len(said) - len(said.lstrip("#").lstrip())
    return replace(piece, lines=(_runs(text, start, piece.end, mark),))


def _rows(text: str, piece: Piece, mark: tuple[int, int]) -> Iterator[PieceRow]:
    """Mark the rows whose lines have words of the passage."""
    if not (mark[0] < piece.end and piece.start < mark[1]):
        yield from piece.rows
        return
    lines = [
        (piece.start + first, piece.start + last)
        for first, last in raw_lines(text[piece.start : piece.end])
        if not _DIVIDER.issuperset(text[piece.start + first : piece.start + last])
    ]
    if piece.kind == "form":
        lines = _spread(text, lines, [row.cells for row in piece.rows])
    lines = lines[len(lines) - len(piece.rows) :] if len(lines) >= len(piece.rows) else []
    for number, row in enumerate(piece.rows):
        start, end = lines[number] if lines else (piece.start, piece.end)
        yield row._replace(marked=mark[0] < end and start < mark[1])


def _items(text: str, piece: Piece, mark: tuple[int, int]) -> Iterator[tuple[Run, ...]]:
    """Return the items of a list, without the marks that begin them."""
    bounds: list[tuple[int, int]] = []
    for first, last in raw_lines(text[piece.start : piece.end]):
        start, end = piece.start + first, piece.start + last
        begins = text.startswith(_ITEM, start)
        numbered = text[start : start + 5].split(" ", maxsplit=1)[0][-1:] in {".", ")"}
        if bounds and not begins and not numbered:
            bounds[-1] = (bounds[-1][0], end)
        else:
            bounds.append((start + 2 if begins else start, end))
    for start, end in bounds:
        yield _runs(text, start, end, mark)


def _runs(text: str, start: int, end: int, mark: tuple[int, int]) -> tuple[Run, ...]:
    begin = min(max(mark[0], start), end)
    stop = min(max(mark[1], begin), end)
    runs = (
        Run(text[start:begin], marked=False),
        Run(text[begin:stop], marked=True),
        Run(text[stop:end], marked=False),
    )
    return tuple(run for run in runs if run.text)
