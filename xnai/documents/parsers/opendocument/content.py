"""The parts of an OpenDocument file and the text of its paragraphs; worker process only."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.word.names import local
from xnai.documents.parsers.word.numbering import formatted
from xnai.errors import FILE_DAMAGED, FILE_ENCRYPTED

MOST_DEPTH = 40  # of what lies within each other
_MOST_SPACES = 100
_LONGEST_ABOUT = 5  # digits of a number that is taken at its word
_NOT_TEXT = {
    "tracked-changes",
    "bookmark",
    "forms",
    "object",
    "object-ole",
    "image",
    "script",
    "page-number",
    "page-count",
}


def attribute(element: Any, name: str) -> str:
    """An attribute by its local name; empty if it is not there."""
    return next((str(value) for key, value in element.attrib.items() if local(key) == name), "")


def number(element: Any, name: str, default: int = 1) -> int:
    """An attribute that counts something; one that makes no sense is the default."""
    text = attribute(element, name)
    digits = text.isascii() and text.isdecimal() and len(text) <= 2 * _LONGEST_ABOUT
    return max(int(text), 0) if digits else default


class ListLevel(NamedTuple):
    """How the items of one level of a list are numbered; bullets have no form."""

    form: str
    before: str
    behind: str
    shown: int  # levels in its number
    start: int


@dataclass
class Styles:
    """What styles say that changes how something is read.

    Attributes:
        lists: levels of lists, by the names of their styles and from 1.
        hidden: names of the styles of sheets and slides that are not shown.
        margins: headers and footers, with what they say.

    """

    lists: dict[str, dict[int, ListLevel]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    margins: list[tuple[str, Any]] = field(default_factory=list)


class ItemNumbers:
    """Counts the items of lists."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._counts: dict[str, list[int]] = {}

    def begin(self, style: str) -> None:
        """Begin a list anew."""
        self._counts.pop(style, None)

    def next(self, style: str, level: int) -> str:
        """The mark of the next item of a level, from 1: a number, or a dash."""
        levels = self._styles.lists.get(style, {})
        own = levels.get(level)
        if own is None or not own.form or level > _MOST_LEVELS:
            return "-"
        counts = self._counts.setdefault(style, [])
        del counts[level:]
        while len(counts) < level:
            at = levels.get(len(counts) + 1)
            counts.append((at.start if at else 1) - (len(counts) + 1 == level))
        counts[level - 1] += 1
        shown = range(max(level - own.shown, 0), level)
        forms = [levels[at + 1].form if at + 1 in levels else "1" for at in shown]
        numbers = [
            formatted(counts[at], _FORMS.get(form, ""))
            for at, form in zip(shown, forms, strict=True)
        ]
        return f"{own.before}{'.'.join(numbers)}{own.behind}"


_MOST_LEVELS = 10
_FORMS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}


class OpenFile:
    """The content of one file.

    Raises:
        Failure: FILE_ENCRYPTED, or FILE_DAMAGED.

    """

    def __init__(self, parts: BytesIO) -> None:
        with zipfile.ZipFile(parts) as archive:
            names = set(archive.namelist())
            manifest = archive.read("META-INF/manifest.xml") if _MANIFEST in names else b""
            if b"encryption-data" in manifest:
                raise Failure(FILE_ENCRYPTED)
            self.root = _parsed(archive.read("content.xml") if "content.xml" in names else b"")
            styles = _parsed(archive.read("styles.xml")) if "styles.xml" in names else None
        if self.root is None:
            raise Failure(FILE_DAMAGED, reason="it has no text part")
        self.styles = Styles()
        for root in (styles, self.root):
            _note_styles(root, self.styles)

    def body(self, kind: str) -> Any:
        """The element that holds the text of a file of this kind.

        Raises:
            Failure: FILE_DAMAGED.

        """
        found = next((one for one in self.root.iter() if local(one.tag) == kind), None)
        if found is None:
            raise Failure(FILE_DAMAGED, reason="it has no text part")
        return found


_MANIFEST = "META-INF/manifest.xml"


def _parsed(data: bytes) -> Any:
    if not data.strip():
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    return etree.fromstring(data, parser)


def _note_styles(root: Any, styles: Styles) -> None:
    for one in root.iter() if root is not None else ():
        name = local(one.tag)
        if name in {"list-level-style-number", "list-level-style-bullet"}:
            parent = one.getparent()
            style = "" if parent is None else attribute(parent, "name")
            styles.lists.setdefault(style, {})[number(one, "level")] = _list_level(one)
        elif name in {"header", "footer"}:
            styles.margins.append((name.capitalize(), one))
        elif (name == "table-properties" and attribute(one, "display") == "false") or (
            name == "drawing-page-properties" and attribute(one, "visibility") == "hidden"
        ):
            parent = one.getparent()
            if parent is not None:
                styles.hidden.add(attribute(parent, "name"))


def _list_level(element: Any) -> ListLevel:
    return ListLevel(
        attribute(element, "num-format")[:1],
        attribute(element, "num-prefix")[:_LONGEST_AROUND],
        attribute(element, "num-suffix")[:_LONGEST_AROUND],
        number(element, "display-levels"),
        min(number(element, "start-value"), 10**6),
    )


_LONGEST_AROUND = 20  # characters around a number


@dataclass
class Paragraphs:
    """Reads paragraphs, and keeps what stands beside them.

    Attributes:
        notes: texts of footnotes, in the order of their marks.
        comments: with who made each.
        boxes: frames with text that hang on a paragraph, until they are taken.

    """

    notes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)

    def text(self, element: Any) -> str:
        """The text of a paragraph on one line."""
        return " ".join("".join(self._pieces(element, 0)).split())

    def _pieces(self, element: Any, depth: int) -> Iterator[str]:
        yield element.text or ""
        for one in element if depth < MOST_DEPTH else ():
            yield from self._piece(one, local(one.tag), depth)
            yield one.tail or ""

    def _piece(self, one: Any, name: str, depth: int) -> Iterator[str]:
        if name == "s":
            yield " " * min(number(one, "c"), _MOST_SPACES)
        elif name in {"tab", "line-break"}:
            yield " "
        elif name == "note":
            self.notes.append(self._of(one, "note-body"))
            yield f" [{len(self.notes)}] "
        elif name == "annotation":
            self.comments.append(self._comment(one))
        elif name in {"frame", "custom-shape", "g", "text-box"}:
            self.boxes.append(one)
        elif name and name not in _NOT_TEXT:
            yield from self._pieces(one, depth + 1)

    def _of(self, element: Any, part: str) -> str:
        found = next((one for one in element if local(one.tag) == part), None)
        if found is None:
            return ""
        return " ".join(self.text(one) for one in found.iter() if local(one.tag) in {"p", "h"})

    def _comment(self, element: Any) -> str:
        author = next((one.text for one in element if local(one.tag) == "creator"), "")
        said = " ".join(self.text(one) for one in element.iter() if local(one.tag) in {"p", "h"})
        return f"Comment by {' '.join((author or 'somebody').split())[:100]}: {said}"
