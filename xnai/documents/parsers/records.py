"""JSON, JSON lines and notebooks; used in the worker process only.

A list of flat objects is a table: each becomes a row with its labels. What is nested becomes a list
with an item for each value. Numbers stay as they are written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import decoded, tidy
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.table import row_sentence
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

MOST_DEPTH = 60
_MOST_COLUMNS = 200
_FENCE = "```"


def json_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a JSON file as one page; one with several values is read as lines of JSON.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    text = decoded(path, limit, seen)
    try:
        value = _loads(text)
    except ValueError:
        return _lines_page(text, limit, seen)
    return Page(None, _said(value, limit, seen))


def json_lines_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a file of one JSON value a line as one page.

    Raises:
        Failure: as ``json_page``.

    """
    return _lines_page(decoded(path, limit, seen), limit, seen)


def _lines_page(text: str, limit: int, seen: Seen) -> Page:
    """A page of values, a line each; lines that are none are left out and counted.

    Where most are none, it is a text.
    """
    values, lost = [], 0
    for line in filter(str.strip, text.split("\n")):
        try:
            values.append(_loads(line))
        except ValueError:
            lost += 1
    if not values or lost > len(values):
        seen.warnings.append("It is not valid JSON, and was read as text.")
        return Page(None, tidy(text))
    if lost:
        seen.warnings.append(f"{lost} lines are no JSON and were left out.")
    return Page(None, _said(values, limit, seen))


def _loads(text: str) -> Any:
    """A value with its numbers as texts: long ones take their time, and lose digits.

    Raises:
        ValueError: it is no JSON.
        Failure: FILE_DAMAGED, it is nested too deeply.

    """
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError as exc:
        raise Failure(FILE_DAMAGED, reason="its content is nested too deeply") from exc


def _said(value: Any, limit: int, seen: Seen) -> str:
    writer = StructureWriter(limit, seen)
    writer.value(value)
    return writer.text()


class StructureWriter:
    """Writes nested values as tables, lines ``Label: value.`` and lists, up to a limit."""

    def __init__(self, limit: int, seen: Seen) -> None:
        self._limit = limit
        self._seen = seen
        self._room = limit
        self._lines: list[str] = []

    def text(self) -> str:
        """All that was written."""
        return tidy("\n".join(self._lines).strip())

    def line(self, text: str) -> None:
        """Write a line."""
        self._take(len(text) + 1)
        self._lines.append(text)

    def _take(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise Failure(FILE_TEXT_TOO_LONG, limit=self._limit)

    def value(self, value: Any, label: str = "", depth: int = 0) -> None:
        """Write a value, under a label if it has one."""
        if depth > MOST_DEPTH:
            raise Failure(FILE_DAMAGED, reason="its content is nested too deeply")
        self._take(1)  # also of what says nothing, since YAML can hold it without end
        if _is_flat(value):
            text = _plain(value)
            if text:
                self.line(f"{_indent(depth - 2)}{'- ' if depth else ''}{_named(label, text)}")
        elif isinstance(value, Mapping):
            self._object(value, label, depth)
        elif rows := _rows(value):
            self._table(rows, label)
        else:
            self._heading(label, depth)
            for one in value:
                self.value(one, "", depth + 1)
                if not _is_flat(one):
                    self._gap()

    def _object(self, value: Mapping[str, Any], label: str, depth: int) -> None:
        self._heading(label, depth)
        flat = {key: one for key, one in value.items() if _is_flat(one)}
        for key, one in flat.items():
            text = _plain(one)
            if text:
                self.line(f"{_indent(depth - 1)}{_named(_one_line(key), text)}")
        for key, one in value.items():
            if key not in flat:
                self.value(one, _one_line(key), depth + 1)

    def _heading(self, label: str, depth: int) -> None:
        if label and depth == 1:
            self._gap()
            self.line(f"## {label}")
        elif label:
            self.line(f"{_indent(depth - 2)}- {label}:")

    def _table(self, rows: Sequence[Mapping[str, Any]], label: str) -> None:
        self._seen.tables += 1
        self._gap()
        if label:
            self.line(f"## {label}")
            self.line("")
        head = [*dict.fromkeys(key for row in rows for key in row)]
        labels = [_one_line(key) for key in head]
        for row in rows:
            self.line(row_sentence(labels, [_plain(row.get(key)) for key in head]))
        self.line("")

    def _gap(self) -> None:
        if self._lines and self._lines[-1]:
            self.line("")


def _rows(value: Any) -> list[Mapping[str, Any]]:
    """The rows of a list of flat objects; none if it is no table."""
    if len(value) < 1 or not all(isinstance(one, Mapping) and one for one in value):
        return []
    rows = [_flattened(one) for one in value]
    columns: set[str] = set()
    for row in rows:
        if row is None:
            return []
        columns.update(row)
        if len(columns) > _MOST_COLUMNS:
            return []
    return [row for row in rows if row is not None]


def _flattened(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A row of an object, also of one with small objects inside; None if it has more than that."""
    row: dict[str, Any] = {}
    for key, one in value.items():
        if _is_flat(one):
            row[key] = one
        elif isinstance(one, Mapping) and all(map(_is_flat, one.values())):
            row.update({f"{key} {inner}": held for inner, held in one.items()})
        elif isinstance(one, list) and all(map(_is_flat, one)):
            row[key] = ", ".join(filter(None, map(_plain, one)))
        else:
            return None
    return row


def _is_flat(value: Any) -> bool:
    return not isinstance(value, (Mapping, list))


def _plain(value: Any) -> str:
    """A value on one line; nothing for one that is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _one_line(str(value))


def _indent(depth: int) -> str:
    return "  " * max(depth, 0)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _named(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text


def notebook_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a Jupyter notebook as one page: its texts, its code and what that has printed.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    text = decoded(path, limit, seen)
    try:
        value = _loads(text)
    except ValueError:
        return _lines_page(text, limit, seen)
    cells = value.get("cells") if isinstance(value, dict) else None
    if not isinstance(cells, list):
        return Page(None, _said(value, limit, seen))
    parts = [part for cell in cells if isinstance(cell, dict) for part in _cell(cell, seen)]
    return Page(None, tidy("\n\n".join(parts)))


def _cell(cell: Mapping[str, Any], seen: Seen) -> Iterator[str]:
    source = _joined(cell.get("source"))
    if not source.strip():
        return
    if cell.get("cell_type") != "code":
        yield source.strip()
        return
    yield f"{_FENCE}\n{source.strip()}\n{_FENCE}"
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        said = _output(output, seen) if isinstance(output, dict) else ""
        if said.strip():
            yield f"Output:\n{said.strip()}"


def _output(output: Mapping[str, Any], seen: Seen) -> str:
    """What a cell has printed; of pictures it is only known that they are there."""
    data = output.get("data")
    if isinstance(data, dict):
        seen.pictures_unread += any(str(key).startswith("image/") for key in data)
        return _joined(data.get("text/markdown") or data.get("text/plain"))
    if "ename" in output:
        return f"{output.get('ename')}: {output.get('evalue')}"
    return _joined(output.get("text"))


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts: Iterable[Any] = value if isinstance(value, list) else ()
    return "".join(part for part in parts if isinstance(part, str))
