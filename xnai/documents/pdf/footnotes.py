"""Footnotes: small print at the foot of a page or column, beginning with a mark."""

import re
from collections.abc import Sequence

from xnai.documents.pdf.words import TextLine, Word, body_height, lines

_GAP = 1.5  # heights between two words of a line
_SMALLER = 0.93  # of the body's height at most
_NEXT_LINE = 2.0  # heights from a note's line to the next at most
_TEXT_WORDS = 4  # a line of fewer words below a note is a page number or a footer
_MOST_LINES = 1_000  # of text on a page; one with more is no page that anybody set notes under
_COLUMN = 100.0  # points from one column's left edge to the next at least
_MARK = re.compile(r"[\[(]?(?:\d{1,3}|[*†‡§¶‖]{1,3})[\])]?[.:]?\s|[*†‡§¶‖]{1,3}\w")
_WORD = re.compile(r"[^\W\d_]{3}")
_LEAST_WORDS = 2  # of three letters, so that figures at the foot of a page are no notes

Note = list[TextLine]


def notes(found: Sequence[Word]) -> list[Note]:
    """The notes of a page, each the lines from its mark on, column by column."""
    limit = _SMALLER * body_height(found)
    rows = lines(found, _GAP)
    text = [row for row in rows if row.height > limit and len(row.words) >= _TEXT_WORDS]
    if len(text) > _MOST_LINES:
        return []
    result: list[Note] = []
    for row in rows:
        if row.height > limit:
            continue
        if _has_mark(row) and _is_at_foot(row, text):
            result.append([row])
        elif result and _continues(result[-1][-1], row):
            result[-1].append(row)
    first = min((note[0].left for note in result), default=0.0)
    return sorted(result, key=lambda note: (note[0].left > first + _COLUMN, -note[0].y))


def _has_mark(line: TextLine) -> bool:
    if line.words[0].cuts:
        return True
    return bool(_MARK.match(line.text)) and len(_WORD.findall(line.text)) >= _LEAST_WORDS


def _is_at_foot(line: TextLine, text: Sequence[TextLine]) -> bool:
    """Whether its column has text above the line, and none below."""
    own = [
        other.y > line.y for other in text if other.left < line.right and line.left < other.right
    ]
    return bool(own) and all(own)


def _continues(line: TextLine, following: TextLine) -> bool:
    below = 0 < line.y - following.y < _NEXT_LINE * line.height
    return below and following.left < line.right and line.left < following.right
