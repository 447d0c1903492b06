"""What the XML of a sheet says that openpyxl does not when it reads row by row.

Merged cells, hidden rows, and formulas of which no result is stored. Used in the worker process
only.
"""

import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lxml import etree  # type: ignore[import-untyped]

_MOST = 20_000  # marks of one kind
_LONGEST_FORMULA = 200  # characters
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_MERGED = re.compile(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")


@dataclass
class SheetMarks:
    """Rows and columns count from 1.

    Attributes:
        down: for each cell that reaches down, by row and column, its last row.
        hidden: rows that are not shown.
        formulas: those without a result, by row and column.

    """

    down: dict[tuple[int, int], int] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)


def of_sheet(file: BinaryIO) -> SheetMarks:
    """Read the marks of a sheet from its XML."""
    marks = SheetMarks()
    events = etree.iterparse(
        file,
        events=("end",),
        tag=("{*}c", "{*}row", "{*}mergeCell"),
        resolve_entities=False,
        no_network=True,
        recover=True,
    )
    for _, element in events:
        name = etree.QName(element).localname
        if name == "c":
            _note_formula(element, marks)
            continue  # its row is cleared with all of its cells
        if name == "row":
            number = element.get("r") or ""
            if element.get("hidden") in {"1", "true"} and number.isdecimal():
                marks.hidden.add(int(number))
        elif match := _MERGED.fullmatch(element.get("ref") or ""):
            _note_merged(match, marks)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return marks


def _note_formula(cell: Any, marks: SheetMarks) -> None:
    formula = next((one for one in cell if etree.QName(one).localname == "f"), None)
    if formula is None or len(marks.formulas) >= _MOST:
        return
    value = next((one for one in cell if etree.QName(one).localname == "v"), None)
    match = _PLACE.fullmatch(cell.get("r") or "")
    if (value is None or not value.text) and match is not None:
        text = " ".join((formula.text or "").split())[:_LONGEST_FORMULA]
        marks.formulas[int(match[2]), column(match[1])] = text


def _note_merged(match: re.Match[str], marks: SheetMarks) -> None:
    top, bottom = int(match[2]), int(match[4])
    if bottom > top and len(marks.down) < _MOST:
        marks.down[top, column(match[1])] = bottom


def column(letters: str) -> int:
    """The number of a column from its letters: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number
