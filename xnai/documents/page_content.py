"""A page as programs get it: its text, and the blocks that it is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xnai.documents.blocks import blocks_of, heading_text
from xnai.documents.media_types import NOT_MARKDOWN
from xnai.documents.text_work import TextWork
from xnai.retrieval.protocol import Index
from xnai.types import UNITS, Block, BlockKind, Document, PageDetails, PlacedWord

_CERTAIN = 100  # per cent: what is written in a form was not recognised


@dataclass(frozen=True, slots=True)
class PageBlock:
    """A part of a page.

    ``box`` is left, top, right and bottom as shares of the page; ``section`` the heading that it
    stands under; ``ocr_confidence`` how sure the recognition of its text was, from 0 to 1, None
    where nothing was recognised; ``start`` and ``end`` its place in the page's text.
    """

    kind: BlockKind
    text: str
    box: tuple[float, ...] | None
    section: str
    rows: tuple[tuple[str, ...], ...]
    ocr_confidence: float | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PageContent:
    """The text of a page and its blocks, in its order."""

    text: str
    blocks: tuple[PageBlock, ...]


async def content_of(
    index: Index, document: Document, page: int | None, work: TextWork
) -> PageContent | None:
    """Return a page of a document; None if it has no such page.

    The blocks of one that an earlier version has read are found in its text.
    """
    text = await index.page_text(document.id, page)
    if text is None:
        return None
    details = await index.page_details(document.id, page)
    markdown = document.media_type not in NOT_MARKDOWN
    return await work.run(_content, text, details, markdown=markdown)


def _content(text: str, details: PageDetails, *, markdown: bool) -> PageContent:
    blocks = details.blocks
    if blocks is None:
        blocks = tuple(blocks_of(text, markdown=markdown))
    return PageContent(text, tuple(_shown(text, blocks, details)))


def _shown(text: str, blocks: Sequence[Block], details: PageDetails) -> Iterator[PageBlock]:
    section = details.section
    words, at = sorted(details.words), 0
    for block in blocks:
        inside: list[PlacedWord] = []
        while at < len(words) and words[at].start < block.end:
            if words[at].end > block.start:
                inside.append(words[at])
            at += 1
        said = text[block.start : block.end]
        if block.kind == "heading":
            said = section = heading_text(text, block)
        box = block.box or _around(inside)
        shares = None if box is None else tuple(end / UNITS for end in box)
        sure = _confidence(block, inside)
        place = (block.start, block.end)
        yield PageBlock(block.kind, said, shares, section, block.rows, sure, *place)


def _around(words: Sequence[PlacedWord]) -> tuple[int, int, int, int] | None:
    if not words:
        return None
    return (
        min(word.left for word in words),
        min(word.top for word in words),
        max(word.right for word in words),
        max(word.bottom for word in words),
    )


def _confidence(block: Block, words: Sequence[PlacedWord]) -> float | None:
    """How sure the recognition of words was, the long ones counting more."""
    letters = sum(word.end - word.start for word in words)
    if not letters or (block.kind == "form" and all(w.confidence == _CERTAIN for w in words)):
        return None
    return round(sum((w.end - w.start) * w.confidence for w in words) / letters / 100, 3)
