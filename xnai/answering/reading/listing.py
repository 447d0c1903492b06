"""Lists whose items are counted here, for a small model quotes them all and miscounts them."""

import re
from collections.abc import Sequence
from itertools import dropwhile, takewhile

from xnai.answering.reading.lines import NumberedLine, Sheet
from xnai.answering.tables.intent import counts

_ITEM = re.compile(
    r"[-*\u2022\u2013\u25aa\u25e6\u2023][ \t]|\(?(?:\d{1,3}|[a-z])[.)][ \t]", re.IGNORECASE
)
_HEADING = re.compile(r"#{1,6}[ \t]")
_LEAST = 2
_FIGURE = re.compile(r"\d+")


def counted_lines(question: str, quoted: Sequence[NumberedLine]) -> frozenset[str]:
    """How many lines are quoted, where the question is how many there are."""
    several = len(quoted) > 1 and counts(question)
    return frozenset([str(len(quoted))] if several else [])


def as_counted(
    body: str, question: str, quoted: Sequence[NumberedLine], sheet: Sheet
) -> tuple[str, frozenset[str]]:
    """A sentence with a count, with the right one where a whole list is quoted.

    Gives back the sentence, and the count if there is such a list.
    """
    items = _items(quoted, sheet) if counts(question) else 0
    if not items or not _FIGURE.search(body):
        return body, frozenset()
    return _FIGURE.sub(str(items), body, count=1), frozenset([str(items)])


def _items(quoted: Sequence[NumberedLine], sheet: Sheet) -> int:
    """How many items the first list has that is quoted, up to a heading; 0 for a part of a list."""
    behind = dropwhile(_is_heading, quoted)
    items = list(takewhile(lambda line: not _is_heading(line), behind))
    if len(items) < _LEAST or not all(_ITEM.match(line.text) for line in items):
        return 0
    first, last = items[0].number, items[-1].number
    around = (sheet.line(first - 1), sheet.line(last + 1))
    is_whole = not any(one and _ITEM.match(one.text) for one in around)
    return len(items) if is_whole and last - first + 1 == len(items) else 0


def _is_heading(line: NumberedLine) -> bool:
    return _HEADING.match(line.text) is not None
