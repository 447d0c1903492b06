"""Headers, footers and page numbers: what stands at the edge of page after page.

They are blanked, character by character, so that every offset into a page's text stays valid. A
line goes only where there is no doubt: it stands in the margin with nothing of its own page further
out, it is word for word the same on many pages whose rest differs, and most of each page is left.
The first page that has it keeps it. Of numbers only those go that count the pages.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SAMPLE = 24  # pages that are looked at
MARGIN = 0.12  # of a page's height, above and below
_LEAST_PAGES = 4
_SHARE = 0.4  # of the pages: left and right pages may have headers of their own
_DIFFERENT = 0.6  # of the pages have a body of their own; copies of one form have no headers
_MOST_REMOVED = 0.25  # of a page's characters
_LONGEST_NUMBER = 40  # characters of a line that is a page's number
_LONGEST_ROMAN = 8
_PAGE_NUMBER = re.compile(
    r"(?:(?:page|pages|seite|blatt|p[aá]gina|pag|p[aá]g|strona|strana|sida|side|sayfa|p|s)\.?\s?)?"
    r"[-\u2013\u2014(\[|]?\s?(\d{1,4}|[ivxlc]{1,8})\s?[-\u2013\u2014)\]|]?"
    r"(?:\s?(?:/|of|von|de|sur|di|van|av|af|z|iz)\s?\d{1,4})?",
    re.IGNORECASE,
)
_INK = re.compile(r"[^\n]")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class EdgeSegment(NamedTuple):
    """Words beside each other without a wide gap, or a whole table.

    Attributes:
        start: where it begins in the page's text.
        end: where it ends.
        text: its words with single spaces.
        place: its centre, from 0 at the top of the page to 1 at the bottom.

    """

    start: int
    end: int
    text: str
    place: float


class EdgedPage(NamedTuple):
    """A page: its number from 1, its text, and all segments of which the places are known."""

    number: int
    text: str
    segments: Sequence[EdgeSegment]


def sample(count: int) -> list[int]:
    """Indexes of the pages to look at, spread evenly; none of a document with too few."""
    if count < _LEAST_PAGES:
        return []
    step = max(1, count / SAMPLE)
    return sorted({int(at * step) for at in range(min(count, SAMPLE))})


class HeadersFooters:
    """What the sample has in its margins, and what was taken out of the pages since.

    Attributes:
        removed: the pages on which each line was blanked.

    """

    def __init__(self, sheets: Sequence[EdgedPage]) -> None:
        self._repeated: frozenset[str] = frozenset()
        self._offsets: frozenset[int] = frozenset()
        self._first: dict[str, int] = {}
        self.removed: dict[str, list[int]] = {}
        if len(sheets) < _LEAST_PAGES:
            return
        needed = max(_LEAST_PAGES, _SHARE * len(sheets))
        lines = [{one.text for edge in _margins(sheet) for one in edge} for sheet in sheets]
        counts = Counter(line for own in lines for line in own)
        repeated = frozenset(line for line, count in counts.items() if count >= needed)
        offsets = Counter(offset for sheet in sheets for offset in _offsets(sheet))
        bodies = {_body(sheet, repeated) for sheet in sheets}
        if len(bodies) >= _DIFFERENT * len(sheets):
            self._repeated = repeated
            self._offsets = frozenset(o for o, count in offsets.items() if count >= needed)

    def blanked(self, sheet: EdgedPage) -> str:
        """Return the text of a page with spaces in the place of what is repeated."""
        if not (self._repeated or self._offsets):
            return sheet.text
        found = [one for edge in _margins(sheet) for one in self._outermost(sheet, edge)]
        again = [one for one in found if self._is_again(sheet, one)]
        if sum(_ink(one.text) for one in again) > _MOST_REMOVED * _ink(sheet.text):
            return sheet.text
        text = sheet.text
        for one in again:
            self.removed.setdefault(one.text, []).append(sheet.number)
            text = text[: one.start] + _INK.sub(" ", text[one.start : one.end]) + text[one.end :]
        return text

    def _outermost(self, sheet: EdgedPage, edge: Iterable[EdgeSegment]) -> Iterable[EdgeSegment]:
        """The segments of a margin from the edge of the page to the first that is not repeated."""
        for one in edge:
            counted = _offset(sheet, one)
            if one.text not in self._repeated and counted not in self._offsets:
                return
            yield one

    def _is_again(self, sheet: EdgedPage, one: EdgeSegment) -> bool:
        if _offset(sheet, one) in self._offsets:
            return True
        return self._first.setdefault(one.text, sheet.number) != sheet.number


def _ink(text: str) -> int:
    return sum(map(len, text.split()))


def _margins(sheet: EdgedPage) -> tuple[list[EdgeSegment], list[EdgeSegment]]:
    """The segments in the upper and in the lower margin, the outermost first."""
    above = sorted((one for one in sheet.segments if one.place < MARGIN), key=lambda s: s.place)
    below = sorted(
        (one for one in sheet.segments if one.place > 1 - MARGIN), key=lambda s: -s.place
    )
    return above, below


def _body(sheet: EdgedPage, repeated: frozenset[str]) -> str:
    in_margins = {one for edge in _margins(sheet) for one in edge}
    return " ".join(
        one.text
        for one in sheet.segments
        if one not in in_margins or (one.text not in repeated and _offset(sheet, one) is None)
    )


def _offsets(sheet: EdgedPage) -> set[int]:
    found = (_offset(sheet, one) for edge in _margins(sheet) for one in edge)
    return {offset for offset in found if offset is not None}


def _offset(sheet: EdgedPage, one: EdgeSegment) -> int | None:
    """What a line that is but a number says beyond the number of its page; None if it is not."""
    if len(one.text) > _LONGEST_NUMBER:
        return None
    match = _PAGE_NUMBER.fullmatch(one.text)
    if match is None:
        return None
    said = match[1].lower()
    return (int(said) if said.isdecimal() else _roman(said)) - sheet.number


def _roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text[:_LONGEST_ROMAN]]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


def by_pages(removed: Mapping[str, Sequence[int]]) -> list[str]:
    """Each line that was taken out with its pages in words: ``Report 2024 (page 2-5, 7)``."""
    return [f"{line} (page {_spans(numbers)})" for line, numbers in removed.items()]


def _spans(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
