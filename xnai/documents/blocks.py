"""What a page is made of: headings, paragraphs, lists, tables, forms, notes.

Readers write marks of headings and items and sentences of rows, so the text says most of it; where
a reader knows more (the cells of a row, what is a note or a picture), that is taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from xnai.text.labelled_rows import cells_of
from xnai.text.raw_lines import raw_lines
from xnai.types import Block, BlockKind

_MARKS = {
    "heading": re.compile(r"#{1,6}\s+\S"),
    "bullet": re.compile("[-*+\u2022\u25aa\u2013]\\s+\\S"),
    "numbered": re.compile(r"(?:\d{1,3}|[a-z])[.)]\s+\S"),
    "note": re.compile(r"\[\d{1,4}\]:? \S|Comment by [^\n:]{1,300}: "),
    "picture": re.compile("Picture: "),
}
_PAIR = re.compile(r"(?P<label>[^:;|\n]{2,60}):\s+(?P<value>[^\n]{1,160})")
_DIVIDER = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\s*")
_BORDER = re.compile(r"(?<!\\)\|")
_ALONE_IS_TEXT = {"pair", "piped", "row"}  # one line of these may be any sentence
_SHARED = 0.6  # of the labels that rows without a reader's word share
_MOST_EMPTY = 4  # cells for each that a row of a table has; with more its rows stay uneven
_SMALL = 1_000  # cells of a table of which that does not matter

Told = Mapping[str, tuple[Sequence[str], Sequence[str]]]  # labels and cells by sentence


# What a line may be that goes on with one of a kind; of rows see ``_go_together``.
_FOLLOWING = {
    "field": {"field", "pair"},
    "pair": {"field", "pair"},
    "bullet": {"bullet", "numbered", "text"},
    "numbered": {"bullet", "numbered", "text"},
    "note": {"text"},
    "picture": {"text"},
    "text": {"text"},
    "piped": {"piped"},
}


class _Line(NamedTuple):
    """A line of a page: what it looks like, and the cells of one that is a row."""

    kind: str
    start: int
    end: int
    follows: bool  # no empty line stands before it
    head: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


def blocks_of(
    text: str, told: Told | None = None, known: Sequence[Block] = (), *, markdown: bool
) -> list[Block]:
    """Return the blocks of a page in the order of its text; together they have all of it.

    Args:
        text: of the page.
        told: what rows are made of, by their sentences.
        known: blocks that the reader knows, each of whole lines.
        markdown: whether ``#`` marks a heading and ``|`` parts cells.

    """
    by_start = {block.start: block for block in known}
    lines = list(_lines(text, told or {}, known, markdown=markdown))
    runs = _runs(_plain_alone(lines, _are_items(lines)))
    return [by_start[run[0].start] if run[0].kind == "known" else _block(run) for run in runs]


def heading_text(text: str, heading: Block) -> str:
    """What a heading of a page says, without its marks and on one line."""
    said = text[heading.start : heading.end]
    return " ".join((said.lstrip("#") if _MARKS["heading"].match(said) else said).split())


def _lines(text: str, told: Told, known: Sequence[Block], *, markdown: bool) -> Iterator[_Line]:
    before = 0
    waiting = sorted(known, key=lambda block: block.start, reverse=True)
    inside = 0
    for start, end in raw_lines(text):
        follows = bool(before) and text.count("\n", before, start) <= 1
        before = end
        while waiting and waiting[-1].start < start:
            waiting.pop()
        if start < inside:
            continue
        if waiting and waiting[-1].start == start:
            block = waiting.pop()
            inside = block.end
            yield _Line("known", block.start, block.end, follows=False)
            continue
        kind, head, cells = _looks(text[start:end], told, markdown=markdown)
        yield _Line(kind, start, end, follows, head, cells)


_Look = tuple[str, tuple[str, ...], tuple[str, ...]]


def _looks(line: str, told: Told, *, markdown: bool) -> _Look:
    """What a line looks like, and its labels and cells."""
    row = told.get(line)
    if row is not None and (any(row[0]) or len(row[1]) > 1):
        head, cells = tuple(row[0]), tuple(row[1])
        is_form = not any(head) and _are_fields(cells)
        return "field" if is_form else "told", head if any(head) else (), cells
    if markdown and line.startswith("|"):
        return "piped", (), ("-",) if _DIVIDER.fullmatch(line) else _piped(line)
    for kind, pattern in _MARKS.items():
        if pattern.match(line) and (markdown or kind != "heading"):
            return kind, (), ()
    if (found := cells_of(line)) is not None:
        return "row", tuple(found), tuple(found.values())
    if (pair := _PAIR.fullmatch(line)) is not None:
        return "pair", (), (pair["label"].strip(), pair["value"].removesuffix("."))
    return "text", (), ()


def _are_fields(cells: Sequence[str]) -> bool:
    """Whether cells without headings are labels with their values: a pair, or several."""
    return len(cells) == 2 or (  # noqa: PLR2004
        len(cells) % 2 == 0 and all(cell.endswith(":") for cell in cells[::2] if cell)
    )


def _piped(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace("\\|", "|") for cell in _BORDER.split(inner))


def _are_items(lines: Sequence[_Line]) -> set[int]:
    """Which of the lines with a number are items: those with another one near them."""
    items: set[int] = set()
    near: list[int] = []  # in the same paragraph, or right above
    for at, line in enumerate(lines):
        if not line.follows and not (near and near[-1] == at - 1 and line.kind == "numbered"):
            near = []
        if line.kind == "numbered":
            near.append(at)
            items.update(near if len(near) > 1 else ())
            del near[:-1]
    return items


def _plain_alone(lines: Sequence[_Line], items: set[int]) -> list[_Line]:
    """The lines, those as text that look like a row or an item but stand alone."""
    result = []
    for at, line in enumerate(lines):
        above = at > 0 and line.follows and _go_together(lines[at - 1], line)
        below = at + 1 < len(lines) and lines[at + 1].follows and _go_together(line, lines[at + 1])
        alone = line.kind in _ALONE_IS_TEXT and not above and not below
        alone = alone or (line.kind == "numbered" and at not in items)
        result.append(line._replace(kind="text") if alone else line)
    return result


def _go_together(line: _Line, following: _Line) -> bool:
    """Whether two lines, one right below the other, are of one block."""
    if line.kind in {"row", "told"} and following.kind == line.kind:
        shared = len(set(line.head) & set(following.head))
        most = max(len(line.head), len(following.head))
        return line.head == following.head or (line.kind == "row" and shared >= _SHARED * most)
    return following.kind in _FOLLOWING.get(line.kind, ())


def _runs(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """The lines of each block; items may have empty lines between them."""
    run: list[_Line] = []
    for line in lines:
        is_item = line.kind in {"bullet", "numbered"}
        goes_on = bool(run) and _go_together(run[0], line)
        if goes_on and (line.follows or (is_item and run[-1].kind == line.kind)):
            run.append(line)
            continue
        if run:
            yield run
        run = [line]
    if run:
        yield run


_KINDS: dict[str, BlockKind] = {
    "heading": "heading",
    "bullet": "list",
    "numbered": "list",
    "note": "note",
    "picture": "picture",
    "told": "table",
    "row": "table",
    "piped": "table",
    "field": "form",
    "pair": "form",
}


def _block(run: Sequence[_Line]) -> Block:
    kind = _KINDS.get(run[0].kind, "paragraph")
    return Block(kind, run[0].start, run[-1].end, tuple(_rows(run)))


def _rows(run: Sequence[_Line]) -> Iterator[tuple[str, ...]]:
    """The rows of a table, its labels first, or the fields of a form."""
    kind = run[0].kind
    if kind == "told":
        yield from _even([run[0].head, *(line.cells for line in run)])
    elif kind == "row":
        columns = _columns(run)
        if len(columns) > _MOST_EMPTY * len(run[0].head):
            return
        yield tuple(columns)
        for line in run:
            cells = dict(zip(line.head, line.cells, strict=True))
            yield tuple(cells.get(column, "") for column in columns)
    elif kind == "piped":
        yield from _even([line.cells for line in run if line.cells != ("-",)])
    elif kind in {"field", "pair"}:
        for line in run:
            for label, value in zip(line.cells[::2], line.cells[1::2], strict=True):
                yield label.rstrip(" :"), value


def _even(rows: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Rows of one width, unless that would take far more room than what is in them."""
    width = max(map(len, rows), default=0)
    if width * len(rows) > _MOST_EMPTY * sum(map(len, rows)) + _SMALL:
        yield from rows
        return
    for row in rows:
        yield (*row, *[""] * (width - len(row)))


def _columns(run: Sequence[_Line]) -> list[str]:
    """The labels of all rows, those that the first leaves out behind the ones before them."""
    columns: list[str] = []
    known: set[str] = set()
    for line in run:
        if known.issuperset(line.head) or len(columns) > _MOST_EMPTY * len(run[0].head):
            continue
        at = 0
        for label in line.head:
            if label in known:
                at = columns.index(label) + 1
            else:
                columns.insert(at, label)
                at += 1
        known.update(columns)
    return columns
