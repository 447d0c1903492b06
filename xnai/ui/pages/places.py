"""Places in documents: what of a text is shown at once, and which of it is marked."""

from dataclasses import dataclass

PART = 12_000  # characters of a text that are shown at once, more or less
_SLACK = 2_000  # characters before that in which the end of a paragraph or line is looked for


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a text: the words to be marked, what stands before and what behind them."""

    number: int
    count: int
    before: str
    marked: str
    after: str


def part_of(text: str, start: int, end: int, number: int | None = None) -> Stretch:
    """Return a part of a text, that of ``start`` unless another is named; counts begin at 0.

    Offsets count code points. What lies outside of the text is cut off.
    """
    bounds = _bounds(text)
    if number is None:
        number = next((n for n, (_, last) in enumerate(bounds) if start < last), len(bounds) - 1)
    number = min(number, len(bounds) - 1)
    first, last = bounds[number]
    begin = min(max(start, first), last)
    stop = min(max(end, begin), last)
    return Stretch(number, len(bounds), text[first:begin], text[begin:stop], text[stop:last])


def _bounds(text: str) -> list[tuple[int, int]]:
    """Cut a text at the ends of its paragraphs, else of its lines, else where it has to be."""
    bounds = []
    at = 0
    while len(text) - at > PART:
        low, high = at + PART - _SLACK, at + PART
        cut = text.rfind("\n\n", low, high)
        cut = cut + 2 if cut >= 0 else text.rfind("\n", low, high) + 1
        bounds.append((at, cut or high))
        at = cut or high
    return [*bounds, (at, len(text))]
