"""Headings of tables without ruled cells, where one may stand above several columns."""

import re
from collections.abc import Sequence
from itertools import pairwise

from xnai.documents.pdf.grid import Band, Cell, Row
from xnai.documents.pdf.rules import Edge
from xnai.documents.pdf.words import TextLine

_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_FIGURE = re.compile(r"[\d€$£¥(+\-\u2212\u2013\u2014.%]")
_BARE = re.compile(r"\W{0,3}\d[\d.,:/\s]{0,30}\W{0,3}\w{0,3}\W{0,2}")
_DIGIT = re.compile(r"\d")
_NEAR = 3.0  # points
_CLOSER = 0.9  # of a line's height


def has_upper(rows: Sequence[Row]) -> bool:
    """Whether the first row names groups of the columns that the second one names."""
    if len(rows) < 3:  # noqa: PLR2004 - two rows of headings, and one below
        return False
    first, second = ([_text(cell) for cell in row] for row in rows[:2])
    above, named = sum(map(bool, first)), sum(map(bool, second))
    if not 1 < above < named or not all(second[1:]) or not any(map(_is_figure, _texts(rows[2]))):
        return False
    return not any(map(_is_figure, first)) and not any(map(_is_bare_figure, second))


def stacked(visuals: Sequence[Sequence[TextLine]]) -> int:
    """How many rows at the top overlap: headings of one line stand beside those of two."""
    count = 1
    while count < len(visuals) and _overlap(visuals[count - 1], visuals[count]):
        count += 1
    return count if count > 1 else 0


def _overlap(above: Sequence[TextLine], below: Sequence[TextLine]) -> bool:
    """Whether rows stand closer than two lines of text can, and beside each other."""
    closer = above[0].y - below[0].y < _CLOSER * above[0].height
    return closer and not any(
        one.left < other.right and other.left < one.right for one in above for other in below
    )


def joined(
    visuals: Sequence[Sequence[TextLine]],
    rows: Sequence[Row],
    bands: Sequence[Band],
    rules: Sequence[Edge],
) -> Row:
    """The headings of several rows as one row; what stands above several columns is in each."""
    heads = [list(row) for row in rows]
    named = [column for column, cell in enumerate(rows[-1]) if cell] if rows else []
    for at, visual in enumerate(visuals[:-1]):
        above = [line for line in visual if _column(line, rows[at]) in named]
        if not above or len(above) >= len(named):
            continue
        between = [rule for rule in rules if visuals[-1][0].y < rule.at < visual[0].y]
        groups = _groups(above, named, bands, between)
        if groups is None:
            continue
        for column in named:
            heads[at][column] = ()
        for line, columns in zip(above, groups, strict=True):
            for column in columns:
                heads[at][column] = line.words
    return tuple(
        tuple(dict.fromkeys(word for row in heads for word in row[column]))
        for column in range(len(bands))
    )


def _column(line: TextLine, row: Row) -> int:
    return next((at for at, cell in enumerate(row) if line.words[0] in cell), -1)


def _groups(
    visual: Sequence[TextLine], named: Sequence[int], bands: Sequence[Band], rules: Sequence[Edge]
) -> list[Sequence[int]] | None:
    """The columns, of those ``named``, that each heading of a row stands above.

    None if that cannot be told.
    """
    by_rules = [_under(line, bands, rules) for line in visual]
    if all(len(columns) for columns in by_rules) and _are_apart(by_rules):
        return list(by_rules)
    first = bands[named[0]]
    skipped = 1 if visual[0].left > first[1] else 0
    if named[0] == 0 == skipped and visual[0].right <= first[1] + _NEAR and len(visual) > 1:
        rest = _groups(visual[1:], named[1:], bands, rules)  # the label of the first column
        return None if rest is None else [named[:1], *rest]
    each, beyond = divmod(len(named) - skipped, len(visual))
    if beyond or each < 2:  # noqa: PLR2004 - columns
        return None
    groups = [named[skipped + each * n : skipped + each * (n + 1)] for n in range(len(visual))]
    for line, columns in zip(visual, groups, strict=True):
        before = bands[columns[0] - 1][1] if columns[0] else line.left
        if not (before - _NEAR <= line.left and line.x <= bands[columns[-1]][1] + _NEAR):
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


def is_figure(text: str) -> bool:
    """Whether a text has a digit and is no year."""
    return bool(_DIGIT.search(text)) and not _YEAR.fullmatch(text)


def _are_apart(groups: Sequence[range]) -> bool:
    return all(before.stop <= after.start for before, after in pairwise(groups))


def _is_bare_figure(text: str) -> bool:
    return bool(_BARE.fullmatch(text)) and not _YEAR.fullmatch(text)


def _is_figure(text: str) -> bool:
    return bool(_FIGURE.match(text)) and not _YEAR.fullmatch(text)


def _texts(row: Row) -> list[str]:
    return [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    return " ".join(word.text for word in cell)
