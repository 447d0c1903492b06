"""Rows as Markdown tables whose headings are repeated, so that no chunk is without them."""

from collections.abc import Iterable, Iterator, Sequence

GROUP_CHARACTERS = 450  # with the headings well below what the chunker takes for one chunk


def grouped(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of tables; empty rows and empty cells at a row's end are left out."""
    head: list[str] = []
    length = 0
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        line = f"| {' | '.join(cells)} |"
        if not head:
            head = [line, f"|{' --- |' * len(cells)}"]
            yield from head
            continue
        if length > GROUP_CHARACTERS:
            yield ""
            yield from head
            length = 0
        length += len(line)
        yield line


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
