"""Numbers as they stand in cells: with units, signs of currency, and either decimal sign."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

_LONGEST = 30  # characters of a number with its unit
_SHARE = 0.8  # of a column's cells that are numbers, where it is one of numbers
_CELL = re.compile(
    r"(?P<open>\()?(?P<sign>[-\u2212+])?\s?(?:[A-Z]{3}\s|[$€£¥])?\s?(?P<sign2>[-\u2212])?"
    r"(?P<number>\d{1,3}(?:[.,'\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"\s?(?P<unit>[^\d\s][^\d]{0,14})?"
)
_COMMA_DECIMAL = re.compile(r"\d,(?:\d{1,2}|\d{4,})(?!\d)|\.\d{3},")
_DOTTED_THOUSANDS = re.compile(r"\d\.\d{3}(?:\.\d{3}|,)")


class Numbers:
    """Reads the cells of one column, whose decimal sign is the same in all.

    Args:
        cells: all of the column that are not empty.

    """

    def __init__(self, cells: Sequence[str]) -> None:
        self._comma = any(_COMMA_DECIMAL.search(cell) for cell in cells) or any(
            _DOTTED_THOUSANDS.search(cell) for cell in cells
        )
        found = [number for cell in cells if (number := self.read(cell)) is not None]
        self.are_numbers = bool(found) and len(found) >= _SHARE * len(cells)
        self.decimals = max((decimals_of(number) for number in found), default=0)

    def read(self, cell: str) -> Decimal | None:
        """The number of a cell; None if it is none."""
        match = _CELL.fullmatch(cell.strip()) if len(cell) <= _LONGEST else None
        if match is None:
            return None
        digits = re.sub(r"['\u00a0\u202f ]", "", match["number"])
        digits = (
            digits.replace(".", "").replace(",", ".") if self._comma else digits.replace(",", "")
        )
        if digits.count(".") > 1:
            digits = digits.replace(".", "")
        number = Decimal(digits)
        is_negative = bool(match["sign2"]) or match["sign"] in {"-", "\u2212"} or match["open"]
        return -number if is_negative else number


def decimals_of(number: Decimal) -> int:
    """How many digits stand behind the decimal point."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def unit_of(cells: Iterable[str]) -> str:
    """The unit or currency that all cells of a column have; empty where they differ."""
    units = set()
    for cell in cells:
        match = _CELL.fullmatch(cell.strip()) if len(cell) <= _LONGEST else None
        if match is not None:
            units.add((match["unit"] or "").strip(" )"))
    return units.pop() if len(units) == 1 else ""
