"""Rows as Markdown tables whose headings are repeated, so that no chunk is without them."""

import re
from collections.abc import Iterable, Iterator, Sequence

GROUP_TOKENS = 150  # with the headings; the chunker takes 200 for one chunk
# About the tokens of the embedding model, which is not at hand where documents are read: figures
# cost one for two or three digits, signs and Asian characters one each.
_TOKEN = re.compile(r"\d{1,2}|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\d_]{1,6}|[^\w\s]|_")

_DIVIDER = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\s*")
_DIGIT = re.compile(r"\d")
_MOST_TITLES = 20  # rows of one cell above a table; more are a table of one column


class Groups:
    """Tells before which rows the headings are to be repeated."""

    def __init__(self, head: Sequence[str]) -> None:
        self._head = sum(map(_tokens, head))
        self._filled = 0

    def begin_with(self, line: str) -> bool:
        """Whether a row does not fit beside the rows before it."""
        needed = _tokens(line)
        begins = bool(self._filled) and self._head + self._filled + needed > GROUP_TOKENS
        self._filled = needed if begins else self._filled + needed
        return begins


def divider(columns: int) -> str:
    """The line between headings and rows."""
    return f"|{' --- |' * columns}"


def grouped(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of tables; empty rows and empty cells at a row's end are left out.

    What stands alone in the rows above the headings is text. After an empty row, a row of several
    words without a figure begins another table.
    """
    head: list[str] = []
    groups = Groups(head)
    is_apart = False
    for cells in _titled(rows):
        line = f"| {' | '.join(cells)} |"
        if not cells:
            is_apart = is_apart or bool(head)
            continue
        if isinstance(cells, _Title):
            is_apart = True
            yield cells[0]
            continue
        if not head or (is_apart and _are_headings(cells)):
            if head or is_apart:
                yield ""
            head = [line, divider(len(cells))]
            groups = Groups(head)
            yield from head
        else:
            if groups.begin_with(line):
                yield ""
                yield from head
            yield line
        is_apart = False


class _Title(list[str]):
    """A row of one cell above a table."""


def _titled(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Rows as cells, the ones of one cell before the first of several as titles."""
    above: list[list[str]] | None = []
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if above is None:
            yield cells
        elif len([cell for cell in cells if cell]) > 1:
            yield from (_Title([cell for cell in one if cell]) for one in above if one)
            yield from ([[]] if above else [])
            yield cells
            above = None
        else:
            above.append(cells)
            if len(above) > _MOST_TITLES:
                yield from above
                above = None
    yield from above or ()


def _are_headings(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and all(cells) and not any(_DIGIT.search(cell) for cell in cells)


def with_headings(markdown: str) -> str:
    """A text whose long tables have their headings repeated."""
    lines = markdown.split("\n")
    result: list[str] = []
    groups: Groups | None = None
    head: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if _DIVIDER.fullmatch(line) and before.startswith("|") and before.strip("| "):
            head = [before, line]
            groups = Groups(head)
        elif groups is not None and line.startswith("|"):
            if groups.begin_with(line):
                result += ["", *head]
        else:
            groups = None
        result.append(line)
    return "\n".join(result)


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")


def _tokens(line: str) -> int:
    return len(_TOKEN.findall(line))
