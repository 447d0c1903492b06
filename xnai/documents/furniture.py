"""Headers, footers and page numbers: lines that stand at the edge of page after page.

They are blanked, character by character, so that every offset into a page's text stays valid.
"""

import re
from collections import Counter
from collections.abc import Sequence

Span = tuple[int, int]

EDGE = 3  # lines at the top and at the bottom of a page that may be furniture
SAMPLE = 24  # pages that are looked at
_LEAST_PAGES = 3
_SHARE = 0.6  # of the pages
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_LINE = re.compile(r"[^\n]+")
_INK = re.compile(r"[^\n]")


def sample(count: int) -> list[int]:
    """Indexes of the pages to look at, spread evenly; none of a document with too few."""
    if count < _LEAST_PAGES:
        return []
    step = max(1, count / SAMPLE)
    return sorted({int(at * step) for at in range(min(count, SAMPLE))})


def repeated_lines(pages: Sequence[tuple[str, Sequence[Span]]]) -> frozenset[str]:
    """The lines at the edges of most pages, with their numbers made alike.

    ``pages`` are texts with the spans of their tables. A table counts as one line, and only the
    very same one is a repetition: the rows of a long one are alike on all of its pages.
    """
    if len(pages) < _LEAST_PAGES:
        return frozenset()
    counts = Counter(
        line for page, tables in pages for line in {key for _, key in _edges(page, tables)}
    )
    needed = max(_LEAST_PAGES, _SHARE * len(pages))
    return frozenset(line for line, count in counts.items() if count >= needed)


def blanked(page: str, tables: Sequence[Span], furniture: frozenset[str]) -> str:
    """A page with spaces in the place of its furniture."""
    for (start, end), key in _edges(page, tables) if furniture else ():
        if key in furniture:
            page = page[:start] + _INK.sub(" ", page[start:end]) + page[end:]
    return page


def _edges(page: str, tables: Sequence[Span]) -> list[tuple[Span, str]]:
    """The outermost lines and tables of a page, with what they are compared by."""
    spans: dict[Span, str] = {}
    for match in _LINE.finditer(page):
        if match.group().strip():
            start = match.start()
            table = next((span for span in tables if span[0] <= start < span[1]), None)
            if table is None:
                spans[match.span()] = _alike(match.group())
            else:
                spans[table] = page[slice(*table)]
    found = list(spans.items())
    return found if len(found) <= 2 * EDGE else found[:EDGE] + found[-EDGE:]


def _alike(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()).casefold())
