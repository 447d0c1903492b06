"""Tables of Markdown as sentences."""

import re

from xnai.documents.parsers.table import LOOKED_AT, has_headings, row_sentence

_DIVIDER = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\s*")
_BORDER = re.compile(r"(?<!\\)\|")


class _Grid:
    """Rows that become sentences when it is known whether the first one has headings."""

    def __init__(self, first: list[str]) -> None:
        self._held = [first]
        self._head: list[str] | None = None

    def add(self, row: list[str]) -> list[str]:
        """Take a row; gives what can be written by now."""
        if self._head is not None:
            return [row_sentence(self._head, row)]
        self._held.append(row)
        return self.settled() if len(self._held) > LOOKED_AT else []

    def settled(self) -> list[str]:
        """What was held back."""
        if self._head is not None:
            return []
        self._held = [row for row in self._held if any(row)]
        self._head = self._held.pop(0) if has_headings(self._held) else []
        return [row_sentence(self._head, row) for row in self._held]


def linearized_markdown(markdown: str) -> str:
    """A text whose grids have become sentences."""
    lines = markdown.split("\n")
    result: list[str] = []
    grid: _Grid | None = None
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and _DIVIDER.fullmatch(following):
            result += grid.settled() if grid is not None else []
            grid = _Grid(_cells(line))
        elif grid is not None and line.startswith("|"):
            result += [] if _DIVIDER.fullmatch(line) else grid.add(_cells(line))
        else:
            result += grid.settled() if grid is not None else []
            grid = None
            result.append(line)
    return "\n".join(result + (grid.settled() if grid is not None else []))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [" ".join(cell.split()).replace("\\|", "|") for cell in _BORDER.split(inner)]
