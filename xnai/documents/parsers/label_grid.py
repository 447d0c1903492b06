"""Forms that are laid out as tables: label and value side by side, once or several times in a row.

Their first row has no headings, though it looks like one: a name and a first name are no figures,
while a date of birth and an amount below them are. What tells them apart is that the values below
each other are of different kinds, while those of a column with a heading are of one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

Pair = tuple[str, str]
Cell = TypeVar("Cell")

_LEAST_ROWS = 3
_MOST_ROWS, _MOST_COLUMNS = 60, 6  # a longer or wider one is a table
_LABEL_WORDS, _LABEL_LETTERS = 6, 60
_ALIKE = 0.67  # of the values of a column are of one kind; with more it is a column of a table
_COLON = 0.6  # of the labels end with one: then nothing else is looked at
_LEAST_VALUES = 3
_DIGIT = re.compile(r"\d")
_DATE = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\.?(?: \d{1,2}[:.]\d\d)?|\d{1,2}\.? [^\W\d]{3,10}\.? \d{4}"
)
_FIGURE = re.compile(r"[^\w\s]{0,3}\d[\d.,:/\s]{0,30}\W{0,4}\w{0,3}\W{0,3}")


def pairs(rows: Sequence[Sequence[str]]) -> list[Pair]:
    """Labels and values of a form, row by row; none if the rows are a table."""
    return [pair for row in rows for pair in in_row(row, "") if any(pair)] if is_form(rows) else []


def in_row(row: Sequence[Cell], nothing: Cell) -> list[tuple[Cell, Cell]]:
    """The labels and values of a row of a form; ``nothing`` is an empty cell."""
    return list(zip(row[::2], [*row[1::2], nothing], strict=False))


def is_form(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the rows of a table are those of a form.

    Args:
        rows: texts of cells; what spans several columns stands in the first of them alone.

    """
    width = max(map(len, rows), default=0)
    if not _LEAST_ROWS <= len(rows) <= _MOST_ROWS or width % 2 or width > _MOST_COLUMNS:
        return False
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    names = [name for row in padded for name, value in in_row(row, "") if name or value]
    if not names or not all(map(_is_label, names)) or len(set(names)) < len(names):
        return False
    if sum(name.endswith(":") for name in names) >= _COLON * len(names):
        return True
    return all(_is_mixed([row[at] for row in padded[1:]]) for at in range(1, width, 2))


def _is_label(text: str) -> bool:
    short = len(text) <= _LABEL_LETTERS and len(text.split()) <= _LABEL_WORDS
    return bool(text) and short and not _DIGIT.search(text)


def _is_mixed(values: Sequence[str]) -> bool:
    kinds = Counter(map(_kind, filter(None, values)))
    count = sum(kinds.values())
    return count >= _LEAST_VALUES and max(kinds.values()) <= _ALIKE * count


def _kind(value: str) -> str:
    if not _DIGIT.search(value):
        return "words"
    if _DATE.fullmatch(value):
        return "date"
    return "figure" if _FIGURE.fullmatch(value) else "code"
