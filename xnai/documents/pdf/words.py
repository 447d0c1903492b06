"""The words of a PDF page with their places, and the lines they stand in.

Coordinates are points from the lower left corner of the page.
"""

import ctypes
import math
import re
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.pdf import right_to_left
from xnai.documents.pdf.characters import clean
from xnai.documents.pdf.frame import Box, Frame
from xnai.documents.pdf.seams import seams

_SPACES = frozenset((0x00, 0x02, 0x09, 0x0A, 0x0D, 0x20, 0xA0, 0xFFFE))
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
_LOOKED_AT = 200  # words of a page by which it is told whether boxes are those of ink
_AT_FOOT = 0.05  # of a box's height; round letters stand a little lower
_LINE, _BELOW_LINE = 1.15, 0.21  # of the size of type: the height of its line, and below its foot
_MOST_TIMES = 4  # the height of ink that type may have
_APART = 0.12  # of a word's height before a word that was placed on its own
_LEANING = 0.1  # share of words that run in another direction, from which on a page is left alone
_SLANTED = 10  # degrees from upright or sideways
_QUARTER = 90
ALONG, ACROSS, SLANTED = range(3)  # how a word runs: with the page's text, square to it, or askew


Place = Callable[[int], Box]


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
    runs: int = 0  # ALONG, ACROSS or SLANTED

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


def places(textpage: Any, indices: Sequence[int] | None = None) -> Place:
    """What tells the box of a character, of those in the order given."""
    raw, box = textpage.raw, pdfium.FS_RECTF()
    where = ctypes.byref(box)

    def place(index: int) -> Box:
        own = index if indices is None else indices[index]
        pdfium.FPDFText_GetLooseCharBox(raw, own, where)
        return box.left, box.bottom, box.right, box.top

    return place


def turns_of(textpage: Any, codes: Sequence[int]) -> int:
    """How many quarters against the clock most of a page's text is turned by."""
    counts = [0, 0, 0, 0]
    for first, last in _spans(codes):
        turns = _turns(textpage, first)
        if turns is not None:
            counts[turns] += last - first + 1
    return counts.index(max(counts))


def _turns(textpage: Any, index: int) -> int | None:
    """Quarters of a turn against the clock of a character; None: it is slanted."""
    degrees = -math.degrees(pdfium.FPDFText_GetCharAngle(textpage.raw, index)) % 360
    quarters, beyond = divmod(degrees + _QUARTER / 2, _QUARTER)
    return int(quarters) % 4 if abs(beyond - _QUARTER / 2) <= _SLANTED else None


def words(
    textpage: Any, codes: Sequence[int], frame: Frame, indices: Sequence[int] | None = None
) -> list[Word]:
    """The words of a page in the order of its characters; none if these run askew.

    Args:
        textpage: of pdfium.
        codes: its characters in the order of reading.
        frame: how the page is looked at.
        indices: those of pdfium, where ``codes`` are in another order.

    """
    place = places(textpage, indices)
    found = []
    leaning = 0
    joined: set[int] = set()  # first characters of words behind which no space was left
    for first, last in _parted(textpage.raw, codes, joined if indices is None else None):
        text = "".join(map(chr, codes[first : last + 1]))
        own = first if indices is None else indices[first]
        turns = _turns(textpage, own)
        runs = SLANTED if turns is None else ALONG if turns == frame.turns else ACROSS
        if runs == ALONG:
            # The ends of a word are not its first and last characters where figures run on.
            inside = range(first, last + 1) if frame.mirrored else (first, last)
            boxes = [frame.seen(place(index)) for index in inside]
            height = max(top - bottom for _, bottom, _, top in boxes)
            back = boxes[-1][0] < boxes[0][0] and not frame.mirrored
            back = back and not right_to_left.has_any(codes[first : last + 1])
            leaning += back or abs(boxes[-1][1] - boxes[0][1]) > height
        else:
            boxes = [frame.seen(place(index)) for index in range(first, last + 1)]
            height = max(right - left for left, _, right, _ in boxes)
        left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
        cuts: tuple[int, ...] = (first,) if first in joined else ()
        if frame.is_plain and indices is None and _NOTE_NUMBER.search(text):
            cuts += _cuts(textpage.raw, text, first, (bottom, height))
        if not text.isprintable():  # pdfium gives some characters in two halves
            text = clean(codes[first : last + 1]).text or _UNKNOWN
        found.append(Word(first, last, text, left, bottom, right, top, height, cuts, runs))
    if leaning > _LEANING * len(found):
        return []
    if indices is None and not frame.turns and _are_of_ink(textpage.raw, found):
        return [_on_its_line(textpage.raw, word) for word in found]
    return found


def _are_of_ink(raw: Any, found: Sequence[Word]) -> bool:
    """Whether boxes are those of ink, as of a font that does not say how high its lines are.

    Then most of them end at the foot of the line, and none of the others do.
    """
    sample = [word for word in found[:_LOOKED_AT] if word.runs == ALONG]
    at_foot = sum(
        abs(word.bottom - _foot(raw, word.first)) < _AT_FOOT * word.height for word in sample
    )
    return at_foot > len(sample) / 2


def _foot(raw: Any, index: int) -> float:
    """The foot of the line that a character stands on."""
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(raw, index, x, y)
    return y.value


def _on_its_line(raw: Any, word: Word) -> Word:
    """A word as high as its type, by the line that it stands on."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(raw, word.first, matrix)
    size = pdfium.FPDFText_GetFontSize(raw, word.first) * math.hypot(matrix.c, matrix.d)
    if word.runs != ALONG or not word.height / 2 <= size <= _MOST_TIMES * word.height:
        return word
    bottom = _foot(raw, word.first) - _BELOW_LINE * size
    return word._replace(bottom=bottom, top=bottom + _LINE * size, height=_LINE * size)


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


def _parted(raw: Any, codes: Sequence[int], joined: set[int] | None) -> Iterator[tuple[int, int]]:
    """The spans of words; of those that run into each other, the second ones are noted."""
    for first, last in _spans(codes):
        text = "".join(map(chr, codes[first : last + 1]))
        found = [] if joined is None else seams(raw, text, first)
        if joined is not None:
            joined.update(found)
        yield from zip([first, *found], [*(at - 1 for at in found), last], strict=True)


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


def font(textpage: Any, indices: Sequence[int] | None, word: Word) -> str:
    """The name of a word's font."""
    buffer = ctypes.create_string_buffer(_FONT_NAME)
    own = word.first if indices is None else indices[word.first]
    pdfium.FPDFText_GetFontInfo(textpage.raw, own, buffer, _FONT_NAME, ctypes.c_int())
    return buffer.value.decode(errors="replace")


def lines(found: Sequence[Word], gap: float, apart: Collection[int] = ()) -> list[TextLine]:
    """The lines in pdfium's order, divided at gaps of more than ``gap`` times a word's height.

    Before words that were placed ``apart``, by their first characters, a smaller one divides.
    """
    result: list[TextLine] = []
    row: list[Word] = []
    for word in found:
        own = min(gap, _APART) if word.first in apart else gap
        if row and not _follows(row[-1], word, own):
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
    widest = gap * word.height if gap <= _APART else max(gap * word.height, _SPACE * character)
    return overlap > _SAME_LINE * height and -height < distance < widest


def body_height(found: Sequence[Word]) -> float:
    """Height of the type that most of a page is set in."""
    heights = sorted(h for word in found for h in [word.height] * len(word.text))
    return heights[len(heights) // 2] if heights else 0.0
