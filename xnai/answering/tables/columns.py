"""A table as a query sees it: columns with plain names and one kind of value each."""

import difflib
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from xnai.answering.tables.numbers import Numbers, decimals_of, unit_of
from xnai.answering.tables.records import Records, Row

_LONGEST_NAME = 40
_CLOSE = 0.8  # of the letters of a value that a misspelt one shares with it
_OFTEN = 2  # times that a number stands in a column, at least, by which rows can be grouped
_MOST_COMPARED = 2000  # values that a misspelt one is compared with: a tenth of a second
_FIGURES = re.compile(r"\d+")
_BEGINNINGS = re.compile(r"\d+|\b[^\W\d]")  # whole figures, and the first letters of words
_TOTAL = re.compile(
    r"\W*(?:grand |sub)?-?(?:totals?|sums?|summen?|gesamt\w*|insgesamt|total général|totaux|"
    r"totale|итого|всего|合计|总计|合計|総計|المجموع)\W*",
    re.IGNORECASE,
)


def _figures(text: str) -> list[str]:
    return _FIGURES.findall(text)


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: as queries write it: ``total_due``.
        label: as the document writes it: ``Total due``.
        numbers: reads its cells; None where they are words.
        unit: that all of its cells have, such as ``EUR``.
        values: the different ones of its cells, in the order of the rows.
        repeats: whether several rows have the same, so that they can be put into groups.

    """

    name: str
    label: str
    numbers: Numbers | None
    unit: str
    values: tuple[str, ...]
    repeats: bool

    @property
    def names(self) -> bool:
        """Whether its cells are names or words, and neither numbers nor dates."""
        text = "".join(self.values)
        return self.numbers is None and sum(map(str.isalpha, text)) > sum(map(str.isdigit, text))

    def number(self, row: Row) -> Decimal | None:
        """The number in a row; None if it has none."""
        cell = row.cells.get(self.label, "")
        return self.numbers.read(cell) if self.numbers else None

    def value_like(self, wanted: str) -> str | None:
        """The value that is meant by a word, which may be misspelt; None if there is none.

        A word may say more than the value: "North region" is "North".
        """
        folded = {value.casefold(): value for value in self.values}
        word = wanted.casefold().strip()
        if word in folded:
            return folded[word]
        padded = f" {word} "
        within = [one for one in folded if f" {one} " in padded and _figures(one) == _figures(word)]
        if within:
            return folded[max(within, key=len)]
        # "Works 50" is no misspelt "Works 65", and "West" is no misspelt "East".
        begin = _BEGINNINGS.findall(word)
        folded = {one: value for one, value in folded.items() if _BEGINNINGS.findall(one) == begin}
        if len(folded) > _MOST_COMPARED:
            return None
        close = difflib.get_close_matches(word, folded, 1, _CLOSE)
        return folded[close[0]] if close else None


@dataclass(frozen=True, slots=True)
class QueryTable:
    """A table without the rows that sum up others, and its columns by name."""

    file_name: str
    columns: Mapping[str, Column]
    rows: tuple[Row, ...]

    @property
    def words(self) -> list[str]:
        """What its columns are called, and the words of their cells."""
        columns = self.columns.values()
        cells = [value for one in columns if one.numbers is None for value in one.values]
        return [*(one.label for one in columns), *cells]

    def without(self, names: Container[str]) -> "QueryTable":
        """The table without columns of those names."""
        columns = {name: one for name, one in self.columns.items() if name not in names}
        return replace(self, columns=columns)

    def holds(self, word: str) -> bool:
        """Whether a word stands in any cell."""
        folded = word.casefold()
        return any(
            folded in value.casefold()
            for column in self.columns.values()
            for value in column.values
        )


def query_table(table: Records, most: int) -> QueryTable:
    """Return a table for queries, with so many columns at most."""
    rows = tuple(row for row in table.rows if not _is_total(row))
    columns: dict[str, Column] = {}
    for label in table.columns[:most]:
        name = _name(label, columns)
        cells = [cell for row in rows if (cell := row.cells.get(label, ""))]
        columns[name] = _column(name, label, cells)
    return QueryTable(table.file_name, columns, rows)


def _column(name: str, label: str, cells: Sequence[str]) -> Column:
    numbers, values = Numbers(cells), tuple(dict.fromkeys(cells))
    different = len({value.casefold() for value in values})
    repeats = different < len(cells)
    if numbers.are_numbers:
        # Of amounts some are the same by chance, such as 0; years and classes are groups.
        read = [numbers.read(cell) for cell in values]
        repeats = different * _OFTEN <= len(cells) and all(
            one and not decimals_of(one) for one in read
        )
        return Column(name, label, numbers, unit_of(cells), values, repeats)
    return Column(name, label, None, "", values, repeats)


def _is_total(row: Row) -> bool:
    return any(_TOTAL.fullmatch(cell) for cell in row.cells.values())


def _name(label: str, taken: Mapping[str, Column]) -> str:
    """A plain name that no other column has."""
    plain = re.sub(r"\W+", "_", label.casefold()).strip("_")[:_LONGEST_NAME] or "column"
    plain = f"c_{plain}" if plain[0].isdigit() else plain
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name
