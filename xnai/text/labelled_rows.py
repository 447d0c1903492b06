"""Rows of tables as text has them: ``Region: North; Units: 3.``."""

from collections.abc import Mapping

_LEAST_COLUMNS = 2
_LONGEST_LABEL = 80
_MOST_CELLS = 200  # of a row


def cells_of(line: str) -> dict[str, str] | None:
    """The cells of a line that is a row, by their labels; None if it is none."""
    if "; " not in line or ": " not in line:
        return None
    cells: dict[str, str] = {}
    last = ""
    for part in line.removesuffix(".").split("; "):
        label, colon, value = part.partition(":")
        if not colon or (value and not value.startswith(" ")) or not label.strip():
            if not last:
                return None
            cells[last] += f"; {part}"
            continue
        if len(label) > _LONGEST_LABEL:
            return None
        last = _unused(label.strip(), cells)
        cells[last] = value.strip()
        if len(cells) > _MOST_CELLS:
            return None
    return cells if len(cells) >= _LEAST_COLUMNS else None


def _unused(label: str, cells: Mapping[str, str]) -> str:
    """A label that no cell of the row has yet: a second "Handgun" is "Handgun 2"."""
    number, name = 2, label
    while name in cells:
        name, number = f"{label} {number}", number + 1
    return name
