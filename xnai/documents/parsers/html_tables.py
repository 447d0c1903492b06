"""Tables of HTML as sentences, with what spans several rows or columns; worker process only."""

from typing import TYPE_CHECKING

from xnai.documents.parsers import spans
from xnai.documents.parsers.spans import Cell

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_MARK = "\ue000"  # stands around the number of a table that was taken out
_MOST_WORDS = 40  # in a cell on average; more is a page laid out as a table
_PARTS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col")


def taken_out(soup: "BeautifulSoup") -> list[str]:
    """Put a mark in the place of each table; returns what they say."""
    from bs4.element import NavigableString  # noqa: PLC0415 - takes half a second

    for text in soup.find_all(string=lambda string: _MARK in string):
        text.replace_with(NavigableString(text.replace(_MARK, "")))
    said: list[str] = []
    for table in soup.find_all("table"):
        if table.find("table") is not None:  # it lays out others, as in the mails of shops
            continue
        rows, heads = _rows(table)
        if not _has_data(table, rows):
            continue
        lines = spans.sentences(spans.filled(rows, heads))
        if table.caption is not None:
            lines.insert(0, _text(table.caption))
        mark = soup.new_tag("p")
        mark.string = f"{_MARK}{len(said)}{_MARK}"
        table.replace_with(mark)
        said.append("\n".join(filter(None, lines)))
    _flattened(soup)
    return said


def put_back(text: str, said: list[str]) -> str:
    """A text with what its tables say in the places of their marks."""
    parts = text.split(_MARK)
    for at in range(1, len(parts), 2):
        if parts[at].isdecimal() and int(parts[at]) < len(said):
            parts[at] = said[int(parts[at])]
    return "".join(parts)


def _rows(table: "Tag") -> tuple[list[list[Cell]], int]:
    """The rows of a table, and how many of them say that they are headings.

    The ends of rows and cells may be left out; then the parser takes each for a part of the last.
    """
    from bs4.element import PreformattedString, Tag  # noqa: PLC0415

    rows: list[list[tuple[Tag, list[str]]]] = []
    head = set() if table.thead is None else {id(row) for row in table.thead.find_all("tr")}
    heads, in_head = 0, True
    for part in table.descendants:
        if isinstance(part, Tag):
            in_head = in_head and part.name not in {"tbody", "tfoot"}
            if part.name == "tr":
                heads += in_head and id(part) in head
                rows.append([])
            elif part.name in {"td", "th"}:
                rows = rows or [[]]
                rows[-1].append((part, []))
        elif rows and rows[-1] and not isinstance(part, PreformattedString):
            rows[-1][-1][1].append(str(part))
    read = [
        [
            Cell(
                " ".join(" ".join(texts).split()),
                _span(cell, "rowspan"),
                _span(cell, "colspan"),
                cell.name == "th",
            )
            for cell, texts in row
        ]
        for row in rows
    ]
    return read, heads


def _text(element: "Tag") -> str:
    return " ".join(element.get_text(" ").split())


def _span(cell: "Tag", name: str) -> int:
    text = str(cell.get(name) or "1").strip()
    number = int(text) if text.isdecimal() and len(text) < 5 else 1  # noqa: PLR2004 - digits
    return min(max(number, 1), spans.MOST_COLUMNS)


def _has_data(table: "Tag", rows: list[list[Cell]]) -> bool:
    """Whether a table is one, and no page that is laid out as such."""
    if table.get("role") in {"presentation", "none"}:
        return False
    filled = [cell for row in rows for cell in row if cell.text]
    words = sum(len(cell.text.split()) for cell in filled)
    return len(rows) > 1 and max(map(len, rows)) > 1 and words <= _MOST_WORDS * len(filled)


def _flattened(soup: "BeautifulSoup") -> None:
    """Make blocks of the tables that only lay a page out."""
    for element in soup.find_all(_PARTS):
        element.name = "div"
