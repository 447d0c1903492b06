"""DOCX files as Markdown, read from their own XML; used in the worker process only."""

import posixpath
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from xnai.documents.parsers import spans
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import tidy
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.spans import Cell
from xnai.documents.parsers.word.names import child, is_on, local, value
from xnai.documents.parsers.word.numbering import Numbering
from xnai.documents.parsers.word.runs import Marks, Runs
from xnai.errors import FILE_DAMAGED

_BODY = "word/document.xml"
_MOST_DEPTH = 30  # tables within tables, controls within controls
_MOST_HEADING = 6
_LONGEST_HEADING = 300  # characters
_LONGEST_ANCHOR = 120  # characters of what a comment is about
_BULLET = "-"


class WordFile:
    """One document."""

    def __init__(self, parts: BytesIO, seen: Seen) -> None:
        self._seen = seen
        self._archive = zipfile.ZipFile(parts)
        self._names = set(self._archive.namelist())
        self._body = next(
            (n for n in (_BODY, *sorted(self._names)) if n.endswith("document.xml")), ""
        )
        self._folder = posixpath.dirname(self._body)
        self._marks = Marks(links=self._links())
        self._runs = Runs(self._marks)
        self._numbering = Numbering(self._part("numbering.xml"))
        self._styles = _styles(self._part("styles.xml"))

    def _part(self, name: str) -> Any:
        """The root of a part of the document; None if it has none of this name."""
        return self._parsed(posixpath.join(self._folder, name))

    def _parsed(self, path: str) -> Any:
        if path not in self._names:
            return None
        data = self._archive.read(path)
        if not data.strip():
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
        return etree.fromstring(data, parser)

    def _links(self) -> dict[str, str]:
        name = posixpath.basename(self._body)
        root = self._part(f"_rels/{name}.rels")
        return {
            str(one.get("Id")): str(one.get("Target"))
            for one in (root if root is not None else ())
            if one.get("TargetMode") == "External"
        }

    def text(self) -> str:
        """All that the document says: its text, then notes, comments, headers and footers."""
        root = self._parsed(self._body)
        body = None if root is None else child(root, "body")
        if body is None:
            raise Failure(FILE_DAMAGED, reason="it has no text part")
        blocks = [*self._blocks(body, 0)]
        for part in (
            self._notes(),
            self._comments(),
            self._margins("header"),
            self._margins("footer"),
        ):
            blocks += part
        if self._marks.inserted or self._marks.deleted:
            self._seen.warnings.append(
                f"Tracked changes are read as accepted: {self._marks.inserted} insertions taken "
                f"in, {self._marks.deleted} deletions left out."
            )
        return tidy("".join(_joined(blocks))).strip()

    def _blocks(self, parent: Any, depth: int) -> Iterator[str]:
        if depth > _MOST_DEPTH:
            return
        for one in parent:
            name = local(one.tag)
            if name == "p":
                yield from self._paragraph(one, depth)
            elif name == "tbl":
                self._seen.tables += depth == 0
                yield "\n".join(self._table(one, depth))
            elif name in {"sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml"}:
                yield from self._blocks(one, depth + 1)

    def _paragraph(self, element: Any, depth: int) -> Iterator[str]:
        text = self._runs.text(element)
        boxes, self._marks.boxes = self._marks.boxes, []
        number, heading = self._place(element) if text else ("", 0)
        line = " ".join(filter(None, (number, text)))
        if heading and len(line) <= _LONGEST_HEADING:
            yield f"{'#' * heading} {' '.join(line.split())}"
        elif line:
            yield line
        for box in boxes:
            yield from self._blocks(box, depth + 1)

    def _place(self, element: Any) -> tuple[str, int]:
        """The number of a paragraph, and how high a heading it is; 0: it is none."""
        properties = child(element, "pPr")
        named = _of(properties, "pStyle") or ""
        style = self._styles.get(named) or _unknown_style(named)
        depth, number = style.get("level", "0"), style.get("list", "")
        own = None if properties is None else child(properties, "numPr")
        if own is not None:
            number = _of(own, "numId") or number
            depth = _of(own, "ilvl") or depth
        outline = _of(properties, "outlineLvl") or style.get("outline", "")
        heading = int(outline) + 1 if outline.isdecimal() and int(outline) < _MOST_HEADING else 0
        shown = None
        if number and number != "0" and depth.isdecimal():
            shown = self._numbering.next(number, int(depth))
        if shown == _BULLET:
            return ("  " * int(depth) + _BULLET if not heading else ""), heading
        return shown or "", heading

    def _table(self, element: Any, depth: int) -> list[str]:
        rows: list[list[Cell]] = []
        columns: dict[int, tuple[int, int]] = {}  # where a cell that reaches down begins
        marked, is_above = 0, True
        for row in _rows(element, 0):
            properties = child(row, "trPr")
            is_above = is_above and properties is not None and is_on(child(properties, "tblHeader"))
            marked += is_above
            rows.append([])
            at = _number(None if properties is None else child(properties, "gridBefore"))
            if at:
                rows[-1].append(Cell("", 1, at))
            for cell in _cells(row, 0):
                at += self._cell(cell, at, rows, columns, depth)
        return spans.sentences(spans.filled(rows, marked))

    def _cell(
        self,
        cell: Any,
        at: int,
        rows: list[list[Cell]],
        columns: dict[int, tuple[int, int]],
        depth: int,
    ) -> int:
        """Put a cell into the last row; returns how many columns it has."""
        properties = child(cell, "tcPr")
        width = _number(None if properties is None else child(properties, "gridSpan")) or 1
        merge = None if properties is None else child(properties, "vMerge")
        above = columns.get(at)
        text = " ".join(" ".join(self._blocks(cell, depth + 1)).split())
        if merge is not None and value(merge) != "restart" and above is not None:
            row, place = above
            top = rows[row][place]
            rows[row][place] = top._replace(
                rows=len(rows) - row, text=" ".join(filter(None, (top.text, text)))
            )
        else:
            rows[-1].append(Cell(text, 1, width))
            columns[at] = (len(rows) - 1, len(rows[-1]) - 1)
        return width

    def _notes(self) -> Iterator[str]:
        parts = {kind: self._part(f"{kind}s.xml") for kind in ("footnote", "endnote")}
        found = {
            (kind, value(one, "id")): one
            for kind, root in parts.items()
            for one in (root if root is not None else ())
        }
        for number, key in enumerate(list(self._marks.notes), start=1):
            note = found.get(key)
            text = "" if note is None else " ".join(self._blocks(note, 1))
            if text:
                yield f"[{number}] {text}"

    def _comments(self) -> Iterator[str]:
        root = self._part("comments.xml")
        for one in root if root is not None else ():
            text = " ".join(self._blocks(one, 1))
            about = " ".join(self._marks.anchors.get(value(one, "id") or "", "").split())
            if text:
                author = value(one, "author") or "somebody"
                on = f' on "{about[:_LONGEST_ANCHOR]}"' if about else ""
                yield f"Comment by {author}{on}: {text}"

    def _margins(self, kind: str) -> Iterator[str]:
        """Headers or footers, each text once; those that are but a page number say nothing."""
        said = set()
        prefix = posixpath.join(self._folder, kind)
        for name in sorted(n for n in self._names if n.startswith(prefix) and n.endswith(".xml")):
            root = self._parsed(name)
            text = " ".join(" ".join(self._blocks(root, 1)).split()) if root is not None else ""
            if any(map(str.isalpha, text)) and text not in said:
                said.add(text)
                yield f"{kind.capitalize()}: {text}"


def _joined(blocks: list[str]) -> Iterator[str]:
    """Blocks with empty lines between them; items of a list stand closer."""
    before = ""
    for block in filter(None, blocks):
        if before:
            both = before.lstrip().startswith("- ") and block.lstrip().startswith("- ")
            yield "\n" if both else "\n\n"
        yield block
        before = block


def _of(parent: Any, name: str) -> str | None:
    """The value of a property; None if it is not set."""
    found = None if parent is None else child(parent, name)
    return None if found is None else value(found)


def _number(element: Any) -> int:
    text = (value(element) or "") if element is not None else ""
    return min(int(text), spans.MOST_COLUMNS) if text.isdecimal() else 0


def _rows(table: Any, depth: int) -> Iterator[Any]:
    yield from _inside(table, "tr", depth)


def _cells(row: Any, depth: int) -> Iterator[Any]:
    yield from _inside(row, "tc", depth)


def _inside(parent: Any, wanted: str, depth: int) -> Iterator[Any]:
    """The rows of a table or the cells of a row, controls and changes around them or not."""
    for one in parent:
        name = local(one.tag)
        if name == wanted:
            properties = child(one, "trPr") if wanted == "tr" else None
            if properties is None or child(properties, "del") is None:
                yield one
        elif name in {"sdt", "sdtContent", "ins", "moveTo", "customXml"} and depth < _MOST_DEPTH:
            yield from _inside(one, wanted, depth + 1)


def _styles(root: Any) -> dict[str, dict[str, str]]:
    """The styles of paragraphs: outline level and list, their own or those they are based on."""
    own: dict[str, dict[str, str]] = {}
    for one in root if root is not None else ():
        if local(one.tag) != "style":
            continue
        properties = child(one, "pPr")
        numbers = None if properties is None else child(properties, "numPr")
        name = (_of(one, "name") or "").casefold()
        found = {
            "base": _of(one, "basedOn"),
            "outline": _of(properties, "outlineLvl") or outline_of(name),
            "list": _of(numbers, "numId"),
            "level": _of(numbers, "ilvl"),
        }
        own[value(one, "styleId") or ""] = {key: said for key, said in found.items() if said}
    return {key: _inherited(key, own) for key in own}


def _inherited(key: str, own: dict[str, dict[str, str]]) -> dict[str, str]:
    result: dict[str, str] = {}
    passed = set()
    while key in own and key not in passed:
        passed.add(key)
        result = {**own[key], **result}
        key = own[key].get("base", "")
    return result


def _unknown_style(key: str) -> dict[str, str]:
    """What the id of a style says that is not described: ``Heading1``."""
    word = key.rstrip("0123456789")
    level = outline_of(f"{word} {key[len(word) :]}".strip().casefold())
    return {"outline": level} if level else {}


def outline_of(name: str) -> str | None:
    """The outline level that the name of a style stands for."""
    if name in {"title", "titel", "titre"}:
        return "0"
    kind, _, number = name.rpartition(" ")
    known = kind in {"heading", "\u00fcberschrift", "titre", "encabezado", "kop", "rubrik"}
    return str(int(number) - 1) if known and number.isdecimal() and int(number) else None
