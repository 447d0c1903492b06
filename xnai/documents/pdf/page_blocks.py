"""The blocks of a PDF page: what its type and its places tell beside its text; worker only."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from xnai.documents.blocks import blocks_of
from xnai.documents.parsers import row_log
from xnai.documents.pdf import page_pictures
from xnai.documents.pdf.additions import Whole
from xnai.documents.pdf.layout import PUT_IN, Layout
from xnai.documents.pdf.words import SLANTED, TextLine, Word, body_height, lines
from xnai.text.raw_lines import raw_lines
from xnai.types import Block

_GAP = 1.5  # heights between two words of a line
_FURTHER = 1.3  # than lines usually are: another paragraph begins
_LARGER = 1.15  # than most of the page: a heading
_SAME = 1.05  # lines of one heading differ by no more
_LONGEST = 14  # words of a heading's line
_MOST_LINES = 3  # of a heading
_MOST_SHARE = 0.3  # of a page's lines; more large ones are a poster


def of_page(page: Any, layout: Layout, whole: Whole, text: str) -> tuple[Block, ...]:
    """Find the blocks of a page; ``text`` is all that it says, ``whole`` where that comes from."""
    pictures = [Block("picture", *span) for span in whole.pictures]
    if not whole.is_native:
        return tuple(blocks_of(text, row_log.rows(), pictures, markdown=False))
    at = {index: place for place, index in enumerate(whole.read.indices) if index != PUT_IN}
    notes = [
        _spanned("note", [w for line in note for w in line.words], at) for note in layout.notes
    ]
    known = [block for block in (*_headings(layout, at), *notes) if block is not None]
    own = [block for block in known if _has_whole_lines(block, text)]
    found = blocks_of(text, row_log.rows(), _apart([*own, *pictures]), markdown=False)
    indices = whole.read.indices
    words = {word.first: word for word in layout.words}
    parts = [part for block in found for part in _divided(block, text, indices, words)]
    return tuple(_placed(block, page, layout, indices, words) for block in parts)


def _divided(
    block: Block, text: str, indices: Sequence[int], words: dict[int, Word]
) -> Iterator[Block]:
    """The paragraphs of a block: where lines are further apart, or a column ends, is a border."""
    if block.kind != "paragraph":
        yield block
        return
    rows = [
        (block.start + at, block.start + to) for at, to in raw_lines(text[block.start : block.end])
    ]
    places = [words.get(indices[at]) if at < len(indices) else None for at, _ in rows]
    steps = [
        a.y - b.y for a, b in pairwise(places) if a is not None and b is not None and a.y > b.y
    ]
    usual = statistics.median(steps) if steps else 0.0
    start = block.start
    for (above, below), (_, end), (at, _) in zip(pairwise(places), rows, rows[1:], strict=False):
        if above is None or below is None:
            continue
        step = above.y - below.y
        if step < -above.height or step > _FURTHER * max(usual, above.height):
            yield block._replace(start=start, end=end)
            start = at
    yield block._replace(start=start)


def _apart(blocks: list[Block]) -> list[Block]:
    """Blocks in their order, without those that begin inside another."""
    kept: list[Block] = []
    for block in sorted(blocks, key=lambda one: one.start):
        if not kept or block.start >= kept[-1].end:
            kept.append(block)
    return kept


def _headings(layout: Layout, at: dict[int, int]) -> Iterator[Block | None]:
    """Lines of larger type than most of the page has."""
    of_tables = {word.first for table in layout.tables for word in table.words}
    of_notes = {word.first for note in layout.notes for line in note for word in line.words}
    running = [
        word
        for word in layout.words
        if word.first not in of_tables and word.first not in of_notes and word.runs != SLANTED
    ]
    least = _LARGER * body_height(layout.words)
    rows = lines(running, _GAP)
    large = [_is_heading(row, least) for row in rows]
    if sum(large) > max(_MOST_SHARE * len(rows), 1):
        return
    group: list[TextLine] = []
    for row, is_large in zip(rows, large, strict=True):
        if group and not (is_large and _goes_on(group, row)):
            yield _spanned("heading", [word for line in group for word in line.words], at)
            group = []
        group += [row] if is_large else []
    if group:
        yield _spanned("heading", [word for line in group for word in line.words], at)


def _is_heading(row: TextLine, least: float) -> bool:
    text = row.text
    return row.height >= least and len(row.words) <= _LONGEST and any(map(str.isalpha, text))


def _goes_on(group: Sequence[TextLine], row: TextLine) -> bool:
    last = group[-1]
    alike = max(last.height, row.height) <= _SAME * min(last.height, row.height)
    return alike and len(group) < _MOST_LINES and 0 < last.y - row.y < 2 * last.height


def _spanned(kind: Any, words: Sequence[Word], at: dict[int, int]) -> Block | None:
    """A block of words by their places in the text; None if they do not stand there."""
    starts = [at[word.first] for word in words if word.first in at]
    ends = [at[word.last] for word in words if word.last in at]
    if not starts or not ends or max(ends) < min(starts):
        return None
    return Block(kind, min(starts), max(ends) + 1)


def _has_whole_lines(block: Block, text: str) -> bool:
    """Whether a block begins with a line and ends with one."""
    before = text[text.rfind("\n", 0, block.start) + 1 : block.start]
    end = text.find("\n", block.end)
    behind = text[block.end : end if end >= 0 else len(text)]
    return not before.strip() and not behind.strip() and bool(text[block.start].strip())


def _placed(
    block: Block, page: Any, layout: Layout, indices: Sequence[int], words: dict[int, Word]
) -> Block:
    """A block with the box around its words; what has places of its own is left alone."""
    inside = {i for i in indices[block.start : block.end] if i in words}
    if not inside or block.start >= len(indices):
        return block
    for table in layout.tables if block.kind == "table" else ():
        firsts = {word.first for word in table.words}
        inside |= firsts if firsts & inside else set()  # its headings are said in its rows
    boxes = [words[first] for first in inside]
    box = (
        min(word.left for word in boxes),
        min(word.bottom for word in boxes),
        max(word.right for word in boxes),
        max(word.top for word in boxes),
    )
    return block._replace(box=page_pictures.in_units(page, layout.frame.on_page(box)))
