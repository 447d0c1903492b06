"""What of the hits is shown: nothing twice, and neighbours as one passage."""

import re
from collections.abc import Sequence
from dataclasses import replace

from xnai.errors import XnaiError
from xnai.retrieval.protocol import Searchable
from xnai.types import Passage, Sentence

NEARLY_ALL = 0.9  # of two passages' words in common: the same text in two versions
_GAP = 8  # characters between neighbours: white space that the chunker took off
_JOINED_CHARACTERS = 3000  # of a joined passage; a large model reads three of them
_WORD = re.compile(r"\w+")


def without_repeats(passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The best ``limit`` passages, without those that say what a better one says word for word.

    Nearly: compared by pairs of words (Broder's resemblance, 1997, without the hashing).
    """
    kept: list[tuple[Passage, set[tuple[str, str]]]] = []
    for passage in passages:
        if len(kept) == limit:
            break
        pairs = _pairs(passage.text)
        if not any(_alike(pairs, other) for _, other in kept):
            kept.append((passage, pairs))
    return [passage for passage, _ in kept]


def _pairs(text: str) -> set[tuple[str, str]]:
    words = _WORD.findall(text.casefold())
    return set(zip(words, words[1:] or words, strict=False))


def _alike(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> bool:
    common = len(one & other)
    return bool(common) and common >= NEARLY_ALL * len(one | other)


async def joined(index: Searchable, passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The best ``limit`` passages, neighbours on a page joined at the place of the better one."""
    result: list[Passage] = []
    for passage in passages:
        near = next((i for i, other in enumerate(result) if _are_neighbours(other, passage)), None)
        one = None
        if near is not None:
            page = await _page_text(index, passage)
            one = _join(result[near], passage, page)
        if near is not None and one is not None:
            result[near] = one
        elif len(result) < limit:
            result.append(passage)
    return result


async def _page_text(index: Searchable, passage: Passage) -> str | None:
    """The text of a passage's page; None where it is damaged."""
    try:
        return await index.page_text(passage.document_id, passage.page)
    except XnaiError:
        return None


def _are_neighbours(one: Passage, other: Passage) -> bool:
    if (one.document_id, one.page) != (other.document_id, other.page):
        return False
    first, second = sorted((one, other), key=lambda passage: passage.start)
    near = 0 <= second.start - first.end <= _GAP
    return near and second.end - first.start <= _JOINED_CHARACTERS


def _join(better: Passage, other: Passage, page: str | None) -> Passage | None:
    start, end = min(better.start, other.start), max(better.end, other.end)
    text = (page or "")[start:end]
    if len(text) != end - start:
        return None  # the document was replaced since
    moved = better.start - start
    return replace(
        better,
        start=start,
        end=end,
        text=text,
        evidence=better.evidence and (better.evidence[0] + moved, better.evidence[1] + moved),
        ranked=tuple(Sentence(s.start + moved, s.end + moved, s.score) for s in better.ranked),
    )
