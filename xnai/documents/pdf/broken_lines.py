"""Lines that pdfium breaks between letters, as it does on pages with a few short lines.

It takes such a page for one whose text runs downwards, and ends the line wherever a letter was
drawn on its own, as browsers draw those that are moved closer. By where they stand these are none.
"""

from collections.abc import Sequence

from xnai.documents.pdf.frame import Box
from xnai.documents.pdf.words import Place

_ENDS = frozenset((0x0A, 0x0D))
_SPACE = 0x20
_LEAST = 8  # ends of lines within lines, of a page that is looked at
_MOST = 0.5  # of all ends of lines; of fewer pdfium is right about the page
_OVERLAP = 0.5  # of the lower character's height, on one line
_TIGHT, _WIDE = 0.15, 1.2  # of a character's height: less is within a word, more between columns
_BACK = 0.3  # of it that a letter may begin before the last one's end


def joined(codes: Sequence[int], place: Place) -> tuple[Sequence[int], Sequence[int] | None]:
    """The characters without ends of lines within lines, and their indices; None: there are none.

    Args:
        codes: pdfium's characters.
        place: tells the box of one.

    """
    ends = _ends(codes)
    found = {
        first: within
        for first, last in ends
        if first > 0 and last + 1 < len(codes)
        if (within := _within(place(first - 1), place(last + 1))) is not None
    }
    if len(found) < _LEAST or len(found) < _MOST * len(ends):
        return codes, None
    dropped = {n for first, last in ends if first in found for n in range(first, last + 1)}
    kept = [n for n in range(len(codes)) if n not in dropped or found.get(n) == _SPACE]
    return [_SPACE if n in dropped else codes[n] for n in kept], kept


def _ends(codes: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches of ends of lines."""
    found: list[tuple[int, int]] = []
    for index, code in enumerate(codes):
        if code in _ENDS:
            goes_on = found and found[-1][1] == index - 1
            found[-1:] = [(found[-1][0], index)] if goes_on else [*found[-1:], (index, index)]
    return found


def _within(box: Box, following: Box) -> int | None:
    """What stands between characters of a line: nothing (0) or a space; None: they are of two."""
    heights = box[3] - box[1], following[3] - following[1]
    overlap = min(box[3], following[3]) - max(box[1], following[1])
    gap = following[0] - box[2]
    if overlap <= _OVERLAP * min(heights) or not -_BACK * max(heights) < gap < _WIDE * max(heights):
        return None
    return _SPACE if gap > _TIGHT * max(heights) else 0
