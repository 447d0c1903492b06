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
        if table.find("table") is not None or table.find_parent("table") is not None:
            continue
        rows = [_row(row) for row in table.find_all("tr")]
        if not _has_data(table, rows):
            continue
        heads = len(table.thead.find_all("tr")) if table.thead is not None else 0
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


def _row(row: "Tag") -> list[Cell]:
    return [
        Cell(_text(cell), _span(cell, "rowspan"), _span(cell, "colspan"), cell.name == "th")
        for cell in row.find_all(("td", "th"))
    ]


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
