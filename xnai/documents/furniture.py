"""Headers, footers and page numbers: lines that stand at the edge of page after page.

They are blanked, character by character, so that every offset into a page's text stays valid.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

EDGE = 3  # lines at the top and at the bottom of a page that may be furniture
SAMPLE = 24  # pages that are looked at
_LEAST_PAGES = 3
_SHARE = 0.6  # of the pages
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_LINE = re.compile(r"(?:^\|[^\n]*\n)+|[^\n]+", re.MULTILINE)  # a table counts as one line
_INK = re.compile(r"[^\n]")


def sample(count: int) -> list[int]:
    """Indexes of the pages to look at, spread evenly; none of a document with too few."""
    if count < _LEAST_PAGES:
        return []
    step = max(1, count / SAMPLE)
    return sorted({int(at * step) for at in range(min(count, SAMPLE))})


def repeated_lines(pages: Sequence[str]) -> frozenset[str]:
    """The lines at the edges of most pages, with their numbers made alike."""
    if len(pages) < _LEAST_PAGES:
        return frozenset()
    counts = Counter(
        line for page in pages for line in {_alike(page[a:b]) for a, b in _edges(page)}
    )
    needed = max(_LEAST_PAGES, _SHARE * len(pages))
    return frozenset(line for line, count in counts.items() if count >= needed)


def blanked(page: str, furniture: frozenset[str]) -> str:
    """A page with spaces in the place of its furniture."""
    for start, end in _edges(page) if furniture else ():
        if _alike(page[start:end]) in furniture:
            page = page[:start] + _INK.sub(" ", page[start:end]) + page[end:]
    return page


def _edges(page: str) -> Iterable[tuple[int, int]]:
    lines = [match.span() for match in _LINE.finditer(page) if match.group().strip()]
    return dict.fromkeys([*lines[:EDGE], *lines[-EDGE:]])


def _alike(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()).casefold())
