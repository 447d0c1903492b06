"""Where the lines of a page stand: what tells headers and footers from text."""

from collections.abc import Iterator

from xnai.documents.parsers.headers_footers import EdgedPage, EdgeSegment
from xnai.documents.pdf.characters import CharacterText
from xnai.documents.pdf.layout import PUT_IN, Layout
from xnai.documents.pdf.words import lines

_GAP = 1.5  # heights between words; a number at the other end of a header is a line of its own


def sheet(number: int, read: CharacterText, layout: Layout | None) -> EdgedPage:
    """A page with its segments; without any where the places of its words are not known."""
    if layout is None or not layout.words:
        return EdgedPage(number, read.text, ())
    return EdgedPage(number, read.text, tuple(_segments(read, layout)))


def _segments(read: CharacterText, layout: Layout) -> Iterator[EdgeSegment]:
    at = {index: place for place, index in enumerate(read.indices) if index != PUT_IN}
    _, bottom, _, top = layout.bounds
    height = max(top - bottom, 1.0)
    of_tables = {word.first for table in layout.tables for word in table.words}
    for line in lines([word for word in layout.words if word.first not in of_tables], _GAP):
        start, last = at.get(line.words[0].first), at.get(line.words[-1].last)
        if start is not None and last is not None and start <= last:
            yield EdgeSegment(start, last + 1, line.text, (top - line.y) / height)
    for start, end in read.tables:
        taken = set(read.indices[start:end])
        placed = [word for word in layout.words if word.first in taken]
        if placed:
            text = " ".join(word.text for word in placed)
            middle = (max(w.top for w in placed) + min(w.bottom for w in placed)) / 2
            yield EdgeSegment(start, end, text, (top - middle) / height)
