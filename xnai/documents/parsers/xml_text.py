"""XML without a format of its own, and feeds (RSS, Atom); used in the worker process only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import html_text, text_page, tidy
from xnai.documents.parsers.records import StructureWriter
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.word.names import local
from xnai.errors import FILE_TEXT_TOO_LONG
from xnai.types import Page

_BYTES_FOR_CHARACTER = 20  # of a file that is mostly names of elements
_MOST_ENTRIES = 20_000
_DATES = ("pubDate", "published", "updated", "date")
_TEXTS = ("encoded", "content", "description", "summary")


def _root(path: Path, limit: int, seen: Seen) -> Any:
    """The root of a file; None if it is not well-formed.

    Entities are left alone, and nothing is fetched.
    """
    if path.stat().st_size > _BYTES_FOR_CHARACTER * limit:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(path.read_bytes(), parser)
    except etree.XMLSyntaxError:
        seen.warnings.append("It is not well-formed XML, and was read as text.")
        return None


def xml_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read XML as one page: elements as labels, those that repeat as rows of a table.

    Raises:
        Failure: FILE_TEXT_TOO_LONG.

    """
    root = _root(path, limit, seen)
    if root is None:
        return text_page(path, limit, seen)
    writer = StructureWriter(limit, seen)
    writer.line(f"# {local(root.tag)}")
    writer.line("")
    writer.value(_value(root))
    return Page(None, writer.text())


def _value(element: Any) -> Any:
    """An element as a text, or as an object of its attributes and parts.

    Parts of one name are a list; text between parts is one of the name "text".
    """
    found: dict[str, Any] = {local(key): str(value) for key, value in element.attrib.items()}
    pieces = [element.text or ""]
    for part in element:
        if not isinstance(part.tag, str):
            pieces += [part.tail or ""]
            continue
        name, value = local(part.tag), _value(part)
        held = found.get(name)
        if isinstance(held, list):
            held.append(value)
        else:
            found[name] = [held, value] if name in found else value
        pieces.append(part.tail or "")
    text = " ".join(" ".join(pieces).split())
    if not found:
        return text
    if text:
        found["text"] = text
    is_list = len(found) == 1 and isinstance(only := next(iter(found.values())), list)
    return only if is_list else found


def feed_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read the entries of a feed as one page, each with its title, date and text.

    Raises:
        Failure: FILE_TEXT_TOO_LONG.

    """
    root = _root(path, limit, seen)
    if root is None:
        return text_page(path, limit, seen)
    channel = next((one for one in root if local(one.tag) == "channel"), root)
    parts = [f"# {_of(channel, ('title',)) or 'Feed'}", _text(channel, seen, ("description",))]
    entries = [one for one in root.iter() if local(one.tag) in {"item", "entry"}]
    if len(entries) > _MOST_ENTRIES:
        seen.warnings.append(f"Only the first {_MOST_ENTRIES:,} entries were read.")
    room = limit
    for entry in entries[:_MOST_ENTRIES]:
        for part in filter(None, _entry(entry, seen)):
            room -= len(part)
            parts.append(part)
        if room < 0:
            raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    return Page(None, tidy("\n\n".join(filter(None, parts))))


def _entry(entry: Any, seen: Seen) -> Iterator[str]:
    yield f"## {_of(entry, ('title',)) or 'Untitled'}"
    facts = {
        "Date": _of(entry, _DATES),
        "Author": _of(entry, ("creator", "author")),
        "Link": _of(entry, ("link",)),
    }
    yield "\n".join(f"{name}: {text}" for name, text in facts.items() if text)
    yield _text(entry, seen, _TEXTS)


def _of(element: Any, names: tuple[str, ...]) -> str:
    """The text of the first part with one of these names, on one line."""
    for name in names:
        for part in element:
            if local(part.tag) == name:
                said = " ".join(" ".join(part.itertext()).split())
                said = said or str(part.get("href") or "")
                if said:
                    return said
    return ""


def _text(element: Any, seen: Seen, names: tuple[str, ...]) -> str:
    """The text of an entry, which is HTML more often than not."""
    for name in names:
        for part in element:
            if local(part.tag) != name:
                continue
            inner = "".join(etree.tostring(one, encoding="unicode") for one in part)
            said = inner if len(part) else (part.text or "")
            if said.strip():
                return html_text(said, seen).strip() if "<" in said else " ".join(said.split())
    return ""
