"""The words of a PDF page with their places, and the lines they stand in.

Coordinates are points from the lower left corner of the page.
"""

import ctypes
import re
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf.characters import clean

_SPACES = frozenset((0x00, 0x02, 0x09, 0x0A, 0x0D, 0x20, 0xA0, 0xFFFE))
_RIGHT_TO_LEFT = range(0x0590, 0x0900)
_UNKNOWN = "\ufffd"
_FONT_NAME = 128  # bytes
_SAME_LINE = 0.5  # of the lower word's height
# A number directly behind a word, a year or a stop, or before a word; not one behind a unit.
_NOTE_NUMBER = re.compile(
    r"[^\W\d_]{3}(\d{1,3})(?!\w)|(?<!\d)(?:1\d|20)\d\d(\d{1,2})(?!\d)"
    r"|[.,;:!?\u201d\u2019\"')](\d{1,3})$|^(\d{1,3})(?=[^\W\d])"
)
_RAISED = 0.33  # of a word's height: the number of a note; the base line is at about 0.2
_SPACE = 1.5  # of a character's width: what is wider is no space even where all have one width
_LEANING = 0.1  # share of words that run in another direction, from which on a page is left alone


class Word(NamedTuple):
    """Characters ``first`` to ``last`` of pdfium; heights are those of font, not of ink."""

    first: int
    last: int
    text: str
    left: float
    bottom: float
    right: float
    top: float
    height: float  # of the larger of the first and the last character
    cuts: tuple[int, ...] = ()  # characters before which a note's number begins or has ended

    @property
    def x(self) -> float:
        """Centre from left to right."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """Centre from bottom to top."""
        return (self.bottom + self.top) / 2


class TextLine(NamedTuple):
    """Words that stand beside each other, without a wide gap between them."""

    words: tuple[Word, ...]

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.words[-1].right

    @property
    def x(self) -> float:
        """Centre from left to right."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """Centre from bottom to top, of the tallest word: marks are raised."""
        return max(self.words, key=lambda word: word.height).y

    @property
    def height(self) -> float:
        """Height of its type."""
        return statistics.median(word.height for word in self.words)

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(word.text for word in self.words)


def words(textpage: Any, codes: Sequence[int]) -> list[Word]:
    """The words of a page in pdfium's order; none if its text does not run from left to right."""
    if any(code in _RIGHT_TO_LEFT for code in codes):
        return []
    raw, box = textpage.raw, pdfium.FS_RECTF()
    where = ctypes.byref(box)

    def place(index: int) -> tuple[float, float, float, float]:
        pdfium.FPDFText_GetLooseCharBox(raw, index, where)
        return box.left, box.bottom, box.right, box.top

    found = []
    leaning = 0
    for first, last in _spans(codes):
        left, bottom, right, top = place(first)
        height = top - bottom
        if last > first:
            last_left, low, right, high = place(last)
            height = max(height, high - low)
            leaning += last_left < left or abs(low - bottom) > height
            bottom, top = min(low, bottom), max(high, top)
        text = "".join(map(chr, codes[first : last + 1]))
        cuts = _cuts(raw, text, first, (bottom, height)) if _NOTE_NUMBER.search(text) else ()
        if not text.isprintable():  # pdfium gives some characters in two halves
            text = clean(codes[first : last + 1]).text or _UNKNOWN
        found.append(Word(first, last, text, left, bottom, right, top, height, cuts))
    return found if leaning <= _LEANING * len(found) else []


def _cuts(raw: Any, text: str, first: int, box: tuple[float, float]) -> tuple[int, ...]:
    """Where the raised number of a note begins behind a word, or ends before one.

    ``box`` is the bottom and the height of the word.
    """
    cuts = []
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for match in _NOTE_NUMBER.finditer(text):
        start, end = match.span(match.lastindex or 0)
        pdfium.FPDFText_GetCharBox(raw, first + start, left, right, bottom, top)
        if bottom.value - box[0] > _RAISED * box[1]:
            cuts.append(first + (start or end))
    return tuple(cuts)


def _spans(codes: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = None
    for index, code in enumerate(codes):
        if code in _SPACES:
            if first is not None:
                yield first, index - 1
            first = None
        elif first is None:
            first = index
    if first is not None:
        yield first, len(codes) - 1


def font(textpage: Any, word: Word) -> str:
    """The name of a word's font."""
    buffer = ctypes.create_string_buffer(_FONT_NAME)
    pdfium.FPDFText_GetFontInfo(textpage.raw, word.first, buffer, _FONT_NAME, ctypes.c_int())
    return buffer.value.decode(errors="replace")


def lines(found: Sequence[Word], gap: float) -> list[TextLine]:
    """The lines in pdfium's order, divided at gaps of more than ``gap`` times a word's height."""
    result: list[TextLine] = []
    row: list[Word] = []
    for word in found:
        if row and not _follows(row[-1], word, gap):
            result.append(TextLine(tuple(row)))
            row = []
        row.append(word)
    if row:
        result.append(TextLine(tuple(row)))
    return result


def _follows(word: Word, following: Word, gap: float) -> bool:
    overlap = min(word.top, following.top) - max(word.bottom, following.bottom)
    height = min(word.top - word.bottom, following.top - following.bottom)
    distance = following.left - word.right
    character = (word.right - word.left) / len(word.text)
    widest = max(gap * word.height, _SPACE * character)
    return overlap > _SAME_LINE * height and -height < distance < widest


def body_height(found: Sequence[Word]) -> float:
    """Height of the type that most of a page is set in."""
    heights = sorted(h for word in found for h in [word.height] * len(word.text))
    return heights[len(heights) // 2] if heights else 0.0
