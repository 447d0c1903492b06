"""Rows as Markdown tables whose headings are repeated, so that no chunk is without them."""

import re
from collections.abc import Iterable, Iterator, Sequence

GROUP_TOKENS = 150  # with the headings; the chunker takes 200 for one chunk
# About the tokens of the embedding model, which is not at hand where documents are read: figures
# cost one for two or three digits, signs and Asian characters one each.
_TOKEN = re.compile(r"\d{1,2}|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\d_]{1,6}|[^\w\s]|_")


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
    """Lines of tables; empty rows and empty cells at a row's end are left out."""
    head: list[str] = []
    groups = Groups(head)
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        line = f"| {' | '.join(cells)} |"
        if not head:
            head = [line, divider(len(cells))]
            groups = Groups(head)
            yield from head
            continue
        if groups.begin_with(line):
            yield ""
            yield from head
        yield line


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")


def _tokens(line: str) -> int:
    return len(_TOKEN.findall(line))
