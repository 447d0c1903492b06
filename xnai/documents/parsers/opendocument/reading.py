"""ODT, ODS and ODP as pages; used in the worker process only."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from xnai.documents.parsers import spans
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.opendocument.content import (
    MOST_DEPTH,
    ItemNumbers,
    OpenFile,
    Paragraphs,
    attribute,
    number,
)
from xnai.documents.parsers.plain import tidy
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.spans import Cell
from xnai.documents.parsers.table import linearized
from xnai.documents.parsers.word.names import local
from xnai.errors import FILE_TEXT_TOO_LONG
from xnai.types import Page

_MOST_HEADING = 6
_CLAUSE = re.compile(r"\s{0,40}\d{1,4}\.\d")
_MOST_REPEATED = 10_000  # rows that are said to be alike
_MOST_COLUMNS = 2_000
_LONGEST_TITLE = 200  # characters of the name of a sheet
_AROUND = {"section", "table-header-rows", "table-rows", "table-row-group", "list-header"}
_HOLDERS = {"frame", "text-box", "g", "custom-shape", "a", *_AROUND}


def text_page(parts: BytesIO, seen: Seen) -> Page:
    """Read a text as one page, since its pages are made by the printer."""
    file = OpenFile(parts)
    blocks = _Blocks(file, seen)
    said = [*blocks.of(file.body("text"), 0), *blocks.rest(), *blocks.margins()]
    deleted = sum(local(one.tag) == "deletion" for one in file.root.iter())
    inserted = sum(local(one.tag) == "insertion" for one in file.root.iter())
    if deleted or inserted:
        seen.warnings.append(
            f"Tracked changes are read as accepted: {inserted} insertions taken in, {deleted} "
            "deletions left out."
        )
    return Page(None, tidy(_joined(said)))


def slide_pages(parts: BytesIO, seen: Seen) -> Iterator[Page]:
    """Read slides, one page each."""
    file = OpenFile(parts)
    slides = [one for one in file.body("presentation") if local(one.tag) == "page"]
    seen.tell_total(len(slides))
    for count, slide in enumerate(slides, start=1):
        blocks = _Blocks(file, seen)
        said = []
        if attribute(slide, "style-name") in file.styles.hidden:
            seen.hidden.append(f"slide {count}")
            said.append("(hidden slide)")
        for one in slide:
            if local(one.tag) == "notes":
                notes = [*blocks.of(one, 0)]
                said += ["### Notes:", *notes] if any(notes) else []
                continue
            for number_, text in enumerate(blocks.of([one], 0)):
                is_title = attribute(one, "class") == "title" and not number_
                said.append(f"# {text}" if is_title and "\n" not in text else text)
        said += blocks.rest()
        yield Page(count, tidy(_joined(said)))


class _Blocks:
    """Headings, paragraphs, lists and tables of a text."""

    def __init__(self, file: OpenFile, seen: Seen) -> None:
        self._numbers = ItemNumbers(file.styles)
        self._margins = file.styles.margins
        self._seen = seen
        self._paragraphs = Paragraphs()

    def rest(self) -> list[str]:
        """Notes and comments, which stand behind the text."""
        notes = [f"[{n}] {text}" for n, text in enumerate(self._paragraphs.notes, 1) if text]
        return notes + self._paragraphs.comments

    def margins(self) -> Iterator[str]:
        """Headers and footers, each text once; those that are but a page number say nothing."""
        said = set()
        for kind, element in self._margins:
            text = " ".join(" ".join(self.of(element, 1)).split())
            if any(map(str.isalpha, text)) and text not in said:
                said.add(text)
                yield f"{kind}: {text}"

    def of(self, parent: Any, depth: int) -> Iterator[str]:
        """The blocks of an element, in their order."""
        for one in parent if depth < MOST_DEPTH else ():
            name = local(one.tag)
            if name in {"p", "h"}:
                yield from self._paragraph(one, name, depth)
            elif name == "list":
                yield from self._list(one, depth)
            elif name == "table":
                self._seen.tables += depth == 0
                yield "\n".join(self._table(one, depth))
            elif name in _HOLDERS:
                yield from self.of(one, depth + 1)

    def _paragraph(self, element: Any, name: str, depth: int) -> Iterator[str]:
        text = self._paragraphs.text(element)
        boxes, self._paragraphs.boxes = self._paragraphs.boxes, []
        if text and name == "h":
            level = min(max(number(element, "outline-level"), 1), _MOST_HEADING)
            yield f"{'#' * level} {text}"
        elif text:
            yield text
        yield from self.of(boxes, depth + 1)

    def _list(self, element: Any, depth: int) -> Iterator[str]:
        """A list as one block; numbered headings and clauses, such as 4.2, are blocks each."""
        goes_on = attribute(element, "continue-list") or attribute(element, "continue-numbering")
        if not goes_on or goes_on == "false":
            self._numbers.begin(attribute(element, "style-name"))
        lines = list(self._items(element, depth, 1, ""))
        if any(line.startswith("#") or _CLAUSE.match(line) for line in lines):
            yield from (line.strip() for line in lines)
        else:
            yield "\n".join(lines)

    def _items(self, element: Any, depth: int, level: int, style: str) -> Iterator[str]:
        """The items of a list, a line each."""
        style = attribute(element, "style-name") or style
        for item in element if depth < MOST_DEPTH else ():
            mark = "" if local(item.tag) == "list-header" else None
            for one in item:
                if local(one.tag) == "list":
                    yield from self._items(one, depth + 1, level + 1, style)
                    continue
                for text in self.of([one], depth + 1):
                    mark = self._numbers.next(style, level) if mark is None else mark
                    yield _marked(text, mark, level)
                    mark = ""

    def _table(self, element: Any, depth: int) -> list[str]:
        rows = [self._row(row, depth) for row in _rows(element, 0)]
        heads = next((one for one in element if local(one.tag) == "table-header-rows"), ())
        marked = sum(local(one.tag) == "table-row" for one in heads)
        return spans.sentences(spans.filled(rows, marked))

    def _row(self, row: Any, depth: int) -> list[Cell]:
        cells: list[Cell] = []
        for one in row:
            # What is covered belongs to the cell that covers it.
            if local(one.tag) != "table-cell" or len(cells) >= spans.MOST_COLUMNS:
                continue
            text = " ".join(" ".join(self.of(one, depth + 1)).split())
            down, across = (
                min(number(one, f"number-{way}-spanned"), spans.MOST_COLUMNS)
                for way in ("rows", "columns")
            )
            repeated = min(number(one, "number-columns-repeated"), spans.MOST_COLUMNS)
            cells += [Cell(text, down, across)] * repeated
        return cells


def _marked(text: str, mark: str, level: int) -> str:
    """An item with its mark, which stands in a heading behind that of the heading."""
    if text.startswith("#"):
        hashes, _, words = text.partition(" ")
        return f"{hashes} {words}" if mark in {"", "-"} else f"{hashes} {mark} {words}"
    return f"{'  ' * (level - 1)}{mark or ' '} {text}"


def _rows(table: Any, depth: int) -> Iterator[Any]:
    for one in table if depth < MOST_DEPTH else ():
        name = local(one.tag)
        if name == "table-row":
            yield one
        elif name in _AROUND:
            yield from _rows(one, depth + 1)


def _joined(blocks: list[str]) -> str:
    return "\n\n".join(filter(str.strip, blocks))


def sheet_pages(parts: BytesIO, limit: int, seen: Seen) -> Iterator[Page]:
    """Read a workbook row by row, one page for each sheet."""
    file = OpenFile(parts)
    sheets = [one for one in file.body("spreadsheet") if local(one.tag) == "table"]
    seen.tell_total(len(sheets))
    for count, sheet in enumerate(sheets, start=1):
        name = " ".join(attribute(sheet, "name").split())[:_LONGEST_TITLE] or f"Sheet {count}"
        title = f"## {name}"
        if attribute(sheet, "style-name") in file.styles.hidden:
            seen.hidden.append(f"sheet {name}")
            title += " (hidden sheet)"
        lines, length = [f"{title}\n"], 0
        for line in linearized(_Sheet(seen, name).rows(sheet)):
            lines.append(line)
            length += len(line) + 1
            if length > limit:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        seen.tables += bool(length)
        yield Page(count, tidy("\n".join(lines)) if length else "")


class _Sheet:
    """The rows of one sheet as texts; what reaches down stands in each of its rows."""

    def __init__(self, seen: Seen, name: str) -> None:
        self._seen = seen
        self._name = name
        self._paragraphs = Paragraphs()
        self._reaching: dict[int, tuple[int, str]] = {}  # by column: rows left, and text

    def rows(self, sheet: Any) -> Iterator[list[str]]:
        """The rows, those that are said to be alike each by itself."""
        hidden = 0
        for row in _rows(sheet, 0):
            cells = self._cells(row)
            is_hidden = attribute(row, "visibility") in {"collapse", "filter"} and any(cells)
            repeated = min(number(row, "number-rows-repeated"), _MOST_REPEATED)
            hidden += repeated if is_hidden else 0
            # Empty rows that are repeated go on to the end of the sheet.
            for _ in range(repeated if any(cells) else 1):
                yield [*cells, "(hidden row)"] if is_hidden else cells
        if hidden:
            self._seen.hidden.append(f"{hidden} rows of sheet {self._name}")

    def _cells(self, row: Any) -> list[str]:
        cells: list[str] = []
        for one in row:
            kind = local(one.tag)
            if kind not in {"table-cell", "covered-table-cell"} or len(cells) >= _MOST_COLUMNS:
                continue
            text = self._text(one) if kind == "table-cell" else ""
            repeated = number(one, "number-columns-repeated")
            if (down := number(one, "number-rows-spanned")) > 1 and text:
                self._reaching[len(cells)] = (down, text)
            cells += [text] * min(repeated, _MOST_COLUMNS - len(cells))
        for column, (left, text) in list(self._reaching.items()):
            if column < len(cells):
                cells[column] = cells[column] or text
            self._reaching[column] = (left - 1, text)
            if left <= 1:
                del self._reaching[column]
        while cells and not cells[-1]:
            cells.pop()
        return cells

    def _text(self, cell: Any) -> str:
        """What a cell shows; what it only holds if it shows nothing."""
        shown = " ".join(self._paragraphs.text(one) for one in cell if local(one.tag) == "p")
        held = ("date-value", "time-value", "string-value", "value", "boolean-value")
        return shown or next(filter(None, (attribute(cell, name) for name in held)), "")
