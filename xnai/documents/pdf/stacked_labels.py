"""Fields that lie in rows with their labels above them, in other type: as on policies and cards."""

from collections.abc import Sequence

from xnai.documents.pdf.grid import Cell, Font, Row, Table

_LEAST = 2  # rows of labels; one is the heading of a table


def parted(table: Table, font: Font) -> Table:
    """A table as labels and values, if every second row of it has labels; else as it is."""
    rows = (table.head, *table.rows)
    above, below = rows[::2], rows[1::2]
    if not table.head or len(above) < _LEAST or len(above) != len(below):
        return table
    labels, values = (_fonts(some, font) for some in (above, below))
    if labels & values or not all(map(_are_labels, above, below)):
        return table
    pairs = tuple(
        (label, value)
        for row, values_of_row in zip(above, below, strict=True)
        for label, value in zip(row, values_of_row, strict=True)
        if label or value
    )
    return Table(table.columns[:2], table.caption, (), pairs, is_headed=False)


def _fonts(rows: Sequence[Row], font: Font) -> set[str]:
    return {font(word) for row in rows for cell in row for word in cell}


def _are_labels(row: Row, below: Row) -> bool:
    """Whether each value has a label above it, and no label is a figure."""
    return all(map(_is_label, row, below)) and any(row)


def _is_label(cell: Cell, below: Cell) -> bool:
    if not cell:
        return not below
    return not any(character.isdigit() for word in cell for character in word.text)
