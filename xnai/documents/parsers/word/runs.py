"""The text of a paragraph as Word shows it; used in the worker process only."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xnai.documents.parsers.raised import power
from xnai.documents.parsers.word.names import RELATION, STRICT_RELATION, child, is_on, local, value

# What is deleted, moved away, shown by old programs only, or no text.
_SKIPPED = {"del", "moveFrom", "Fallback", "instrText", "delText", "pPr", "rPr", "sectPr", "tblPr"}
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
# Elements that are read in their own way, with the methods that do it.
_OWN = {
    "hyperlink": "_link",
    "txbxContent": "_box",
    "fldChar": "_field",
    "sdt": "_control",
    "r": "_run",
    "footnoteReference": "_note",
    "endnoteReference": "_note",
    "commentRangeStart": "_comment",
    "commentRangeEnd": "_comment",
    "sym": "_symbol",
}
_TICKED = {True: "[x]", False: "[ ]"}
_MOST_DEPTH = 60
_LONGEST_LINK = 200  # characters; longer ones track


@dataclass
class Marks:
    """What a document's text refers to.

    Attributes:
        links: addresses by their ids.
        notes: ids of footnotes and endnotes in the order in which the text has them.
        anchors: what comments are about, by their ids.
        boxes: text boxes that are met in a paragraph.
        inserted: how many insertions were taken in.
        deleted: how many deletions were left out.

    """

    links: dict[str, str] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    anchors: dict[str, str] = field(default_factory=dict)
    boxes: list[Any] = field(default_factory=list)
    inserted: int = 0
    deleted: int = 0


class Runs:
    """Collects the text of paragraphs."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._open: set[str] = set()  # comments whose text is being read
        self._before = ""  # what stands before, in the same paragraph
        self._fields: list[bool] = []  # whether each open field shows its result by now

    def text(self, paragraph: Any) -> str:
        """The text of one paragraph."""
        parts = []
        self._before = ""
        for part in self._parts(paragraph, 0):
            parts.append(part)
            self._before = part or self._before
            if all(self._fields):
                for comment in self._open:
                    self._marks.anchors[comment] += part
        return "".join(parts).strip()

    def _parts(self, element: Any, depth: int) -> Iterator[str]:
        if depth > _MOST_DEPTH:
            return
        for one in element:
            name = local(one.tag)
            self._marks.inserted += name in {"ins", "moveTo"}
            self._marks.deleted += name in {"del", "moveFrom"}
            if name in _SKIPPED:
                continue
            if name == "t":
                yield (one.text or "") if all(self._fields) else ""
            elif name in _SIGNS:
                yield _SIGNS[name]
            elif name in _OWN:
                yield from getattr(self, _OWN[name])(one, depth)
            elif name not in {"p", "tbl"}:
                yield from self._parts(one, depth + 1)

    def _run(self, element: Any, depth: int) -> Iterator[str]:
        raised = child(element, "rPr", "vertAlign")
        if raised is None or value(raised, "val") != "superscript":
            yield from self._parts(element, depth + 1)
        else:
            before = self._before
            yield power("".join(self._parts(element, depth + 1)), before)

    def _symbol(self, element: Any, _: int) -> Iterator[str]:
        code = value(element, "char") or ""
        with contextlib.suppress(ValueError):
            number = int(code, 16)
            # Symbol fonts put their signs into the private area.
            if number <= 0xFFFF and not 0xF000 <= number <= 0xF0FF:  # noqa: PLR2004
                yield chr(number)

    def _box(self, element: Any, _: int) -> Iterator[str]:
        self._marks.boxes.append(element)
        yield ""

    def _link(self, element: Any, depth: int) -> Iterator[str]:
        shown = "".join(self._parts(element, depth + 1))
        yield shown
        key = element.get(RELATION) or element.get(STRICT_RELATION) or ""
        target = self._marks.links.get(key, "").removeprefix("mailto:")
        if target and target not in shown and len(target) <= _LONGEST_LINK:
            yield f" ({target})"

    def _field(self, element: Any, _: int) -> Iterator[str]:
        kind = value(element, "fldCharType")
        if kind == "begin":
            self._fields.append(False)
            box = child(element, "ffData", "checkBox")
            if box is not None:
                ticked = child(box, "checked")
                default = child(box, "default")
                yield _TICKED[is_on(ticked if ticked is not None else default)]
        elif kind == "separate" and self._fields:
            self._fields[-1] = True
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _control(self, element: Any, depth: int) -> Iterator[str]:
        box = child(element, "sdtPr", "checkbox")
        if box is not None:
            ticked = next((one for one in box if local(one.tag) == "checked"), None)
            values = [] if ticked is None else list(ticked.attrib.values())
            yield _TICKED[bool(values) and values[0] not in {"0", "false"}]
            return
        content = child(element, "sdtContent")
        if content is not None:
            yield from self._parts(content, depth + 1)

    def _note(self, element: Any, _: int) -> Iterator[str]:
        kind = local(element.tag).removesuffix("Reference")
        self._marks.notes.append((kind, value(element, "id") or ""))
        yield f" [{len(self._marks.notes)}]"

    def _comment(self, element: Any, _: int) -> Iterator[str]:
        key = value(element, "id") or ""
        if local(element.tag) == "commentRangeStart":
            self._marks.anchors.setdefault(key, "")
            self._open.add(key)
        else:
            self._open.discard(key)
        yield ""
