"""Headings of tables without ruled cells, where one may stand above several columns."""

import re
from collections.abc import Sequence
from itertools import pairwise

from xnai.documents.pdf.grid import Band, Cell, Row
from xnai.documents.pdf.rules import Edge
from xnai.documents.pdf.words import TextLine

_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_FIGURE = re.compile(r"[\d€$£¥(+\-\u2212\u2013\u2014.%]")
_NEAR = 3.0  # points


def has_upper(rows: Sequence[Row]) -> bool:
    """Whether the first row names groups of the columns that the second one names."""
    if len(rows) < 3:  # noqa: PLR2004 - two rows of headings, and one below
        return False
    first, second = ([_text(cell) for cell in row] for row in rows[:2])
    above, named = sum(map(bool, first)), sum(map(bool, second))
    if not 1 < above < named or not all(second[1:]) or not any(map(_is_figure, _texts(rows[2]))):
        return False
    return not any(map(_is_figure, (*first, *second)))


def joined(
    visuals: Sequence[Sequence[TextLine]],
    rows: Sequence[Row],
    bands: Sequence[Band],
    rules: Sequence[Edge],
) -> Row:
    """The headings of several rows as one row; what stands above several columns is in each."""
    heads = [list(row) for row in rows]
    for at, (visual, below) in enumerate(pairwise(visuals)):
        if sum(map(bool, rows[at])) >= sum(map(bool, rows[at + 1])):
            continue
        between = [rule for rule in rules if below[0].y < rule.at < visual[0].y]
        groups = _groups(visual, rows[at + 1], bands, between)
        if groups is not None:
            heads[at] = [()] * len(bands)
            for line, columns in zip(visual, groups, strict=True):
                for column in columns:
                    heads[at][column] = line.words
    return tuple(
        tuple(dict.fromkeys(word for row in heads for word in row[column]))
        for column in range(len(bands))
    )


def _groups(
    visual: Sequence[TextLine], below: Row, bands: Sequence[Band], rules: Sequence[Edge]
) -> list[range] | None:
    """The columns that each heading of a row stands above; None if that cannot be told."""
    by_rules = [_under(line, bands, rules) for line in visual]
    if all(len(columns) for columns in by_rules) and _are_apart(by_rules):
        return by_rules
    first = 1 if visual[0].left > bands[0][1] else 0
    if first == 0 and visual[0].right <= bands[0][1] + _NEAR and len(visual) > 1:
        rest = _groups(visual[1:], below, bands, rules)  # the label of the first column
        return None if rest is None else [range(1), *rest]
    each, beyond = divmod(len(bands) - first, len(visual))
    if beyond or each < 2:  # noqa: PLR2004 - columns
        return None
    groups = [range(first + each * n, first + each * (n + 1)) for n in range(len(visual))]
    for line, columns in zip(visual, groups, strict=True):
        left, right = bands[columns[0]][0], bands[columns[-1]][1]
        if not left - _NEAR <= line.x <= right + _NEAR:
            return None
    return groups


def _under(line: TextLine, bands: Sequence[Band], rules: Sequence[Edge]) -> range:
    """The columns below the rule that stands under a heading."""
    for rule in rules:
        if rule.start - _NEAR <= line.left and line.right <= rule.end + _NEAR:
            own = [
                column
                for column, (left, right) in enumerate(bands)
                if rule.start - _NEAR <= (left + right) / 2 <= rule.end + _NEAR
            ]
            return range(own[0], own[-1] + 1) if own else range(0)
    return range(0)


def _are_apart(groups: Sequence[range]) -> bool:
    return all(before.stop <= after.start for before, after in pairwise(groups))


def _is_figure(text: str) -> bool:
    return bool(_FIGURE.match(text)) and not _YEAR.fullmatch(text)


def _texts(row: Row) -> list[str]:
    return [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    return " ".join(word.text for word in cell)
