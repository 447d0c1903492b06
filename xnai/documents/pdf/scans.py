"""Text that was recognised in pictures, laid out as that of any page; used in the worker process.

Words of a picture become words of a page: tables are found by the same means, and each word keeps
its place, so that a quote is marked on the picture.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from xnai.documents.parsers import straighten
from xnai.documents.parsers.ocr import PictureText, Read, Ruling
from xnai.documents.pdf import columns as pdf_columns
from xnai.documents.pdf import grid as pdf_grid
from xnai.documents.pdf import reading_order
from xnai.documents.pdf import rules as pdf_rules
from xnai.documents.pdf.characters import CharacterText
from xnai.documents.pdf.layout import PUT_IN, Layout
from xnai.documents.pdf.rules import Edge, RuledLines
from xnai.documents.pdf.words import Word
from xnai.types import UNITS, PlacedWord

_LINE_END_HYPHEN = 0x02
_LEAST_LETTERS = 3  # of a word that may go on after a hyphen
_MOST_WORDS = 20_000  # of a page


def layout_of(read: Read, scale: float) -> Layout:
    """What stands where in a picture, of which so many pixels are a point."""
    width, height = read.size[0] / scale, read.size[1] / scale
    codes, spans = _codes(read.words[:_MOST_WORDS])
    words = _words(read.words, spans, scale, height)

    def edges(rulings: Sequence[Ruling], *, across: bool) -> list[Edge]:
        if across:
            return [Edge(height - r.at / scale, r.start / scale, r.end / scale) for r in rulings]
        return [
            Edge(r.at / scale, height - r.end / scale, height - r.start / scale) for r in rulings
        ]

    rules = pdf_rules.bounded(
        RuledLines(
            pdf_rules.merged(edges(read.across, across=True)),
            pdf_rules.merged(edges(read.down, across=False)),
        )
    )
    inside = [pdf_grid.ruled(grid, words, lambda _: "") for grid in pdf_rules.grids(rules)]
    tables = [table for table in inside if table is not None]
    taken = {word.first for table in tables for word in table.words}
    left = [word for word in words if word.first not in taken]
    tables += pdf_columns.aligned(left, rules.across, lambda _: "")
    taken |= {word.first for table in tables for word in table.words}
    free = {word.first for word in words} - taken
    ordered = reading_order.ordered(words, free)
    return Layout(codes, ordered, tables, [], (0.0, 0.0, width, height))


def _codes(seen: Sequence[PictureText]) -> tuple[list[int], list[tuple[int, int]]]:
    """The characters of a page, and the first and last of each word."""
    codes: list[int] = []
    spans = []
    for word, following in zip(seen, [*seen[1:], None], strict=True):
        shown = word.text
        divided = following is not None and _is_divided(word, following)
        first = len(codes)
        codes += map(ord, shown[:-1] if divided else shown)
        spans.append((first, len(codes) - 1))
        if divided:
            codes.append(_LINE_END_HYPHEN)
        elif following is not None:
            codes += map(ord, _between(word, following))
    return codes, spans


def _is_divided(word: PictureText, following: PictureText) -> bool:
    text = word.text
    return (
        word.line != following.line
        and text.endswith("-")
        and text[:-1].isalpha()
        and len(text) > _LEAST_LETTERS
        and following.text[0].islower()
    )


def _between(word: PictureText, following: PictureText) -> str:
    if word.line == following.line:
        return " "
    return "\n" if word.line[:2] == following.line[:2] else "\n\n"


def _words(
    seen: Sequence[PictureText], spans: Sequence[tuple[int, int]], scale: float, height: float
) -> list[Word]:
    """Words with the height of their lines, since that of ink differs from word to word."""
    extents: dict[tuple[str, ...], list[int]] = {}
    for one in seen:
        extent = extents.setdefault(one.line, [one.top, one.bottom])
        extent[:] = [min(extent[0], one.top), max(extent[1], one.bottom)]
    words = []
    for one, (first, last) in zip(seen, spans, strict=False):
        middle = (one.top + one.bottom) / 2
        tall = min(extents[one.line][1] - extents[one.line][0], 2 * (one.bottom - one.top))
        top, bottom = (height - (middle + sign * tall / 2) / scale for sign in (-1, 1))
        words.append(
            Word(
                first,
                last,
                one.text,
                one.left / scale,
                bottom,
                one.right / scale,
                top,
                top - bottom,
            )
        )
    return words


def placed(read: Read, layout: Layout, text: CharacterText) -> tuple[PlacedWord, ...]:
    """The words of a page's text with their places in its picture as it is drawn."""
    owner = {
        index: number
        for number, word in enumerate(sorted(layout.words, key=lambda word: word.first))
        for index in range(word.first, word.last + 1)
    }
    found = []
    for start, end, number in _runs([owner.get(index, PUT_IN) for index in text.indices]):
        one = read.words[number]
        box = _as_drawn((one.left, one.top, one.right, one.bottom), read)
        found.append(PlacedWord(start, end, *box, min(round(one.sure), 100)))
    return tuple(found)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    borders = [0, *(at for at, (a, b) in enumerate(pairwise(numbers), 1) if a != b), len(numbers)]
    for start, end in pairwise(borders):
        if numbers[start] != PUT_IN:
            yield start, end, numbers[start]


def _as_drawn(box: tuple[int, int, int, int], read: Read) -> tuple[int, int, int, int]:
    """A box of the upright picture in units of the picture as the page is drawn."""
    width, height = read.size
    left, top, right, bottom = box
    if read.turn == 90:  # noqa: PLR2004 - degrees
        left, top, right, bottom, width, height = (
            top,
            width - right,
            bottom,
            width - left,
            height,
            width,
        )
    elif read.turn == 180:  # noqa: PLR2004
        left, top, right, bottom = width - right, height - bottom, width - left, height - top
    elif read.turn == 270:  # noqa: PLR2004
        left, top, right, bottom, width, height = (
            height - bottom,
            left,
            height - top,
            right,
            height,
            width,
        )
    if read.changed:
        corners = [(x, y) for x in (left, right) for y in (top, bottom)]
        places = [straighten.was_at(read.changed, *corner) for corner in corners]
        left, right = (round(pick(x for x, _ in places)) for pick in (min, max))
        top, bottom = (round(pick(y for _, y in places)) for pick in (min, max))
    ends = ((left, width), (top, height), (right, width), (bottom, height))
    left, top, right, bottom = (min(max(at * UNITS // max(of, 1), 0), UNITS) for at, of in ends)
    return left, top, right, bottom
