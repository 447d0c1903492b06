"""The lines of a text, with their places in it."""

from collections.abc import Iterator


def raw_lines(text: str) -> Iterator[tuple[int, int]]:
    """The start and end of each line that is not blank, without the blanks around it."""
    at = 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped:
            start = at + line.index(stripped)
            yield start, start + len(stripped)
        at += len(line)
