"""EPUB books: one page for each chapter in reading order; used in the worker process only."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from xnai.documents.parsers import zip_archive
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import html_text
from xnai.documents.parsers.seen import Seen
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG, FILE_TOO_EXPENSIVE
from xnai.types import Page

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_CONTAINER = "META-INF/container.xml"
_LONGEST_NAME = 500  # characters of a title
_LONGEST_CHAPTER = 4  # bytes of a chapter for each character that a document may have


def epub_pages(path: Path, limit: int, seen: Seen) -> Iterator[Page]:
    """Read the chapters of a book; nothing they refer to is fetched.

    Raises:
        Failure: FILE_DAMAGED, FILE_TEXT_TOO_LONG, FILE_TOO_EXPENSIVE.

    """
    try:
        with zip_archive.open_archive(path) as archive:
            yield from _chapters(archive, limit, seen)
    except zip_archive.ArchiveTooLargeError as exc:
        resource, allowed = exc.args
        raise Failure(FILE_TOO_EXPENSIVE, resource=resource, limit=allowed) from exc
    except (zipfile.BadZipFile, KeyError, EOFError, RuntimeError, NotImplementedError) as exc:
        raise Failure(FILE_DAMAGED, reason="its archive is not whole") from exc


def _chapters(archive: zipfile.ZipFile, limit: int, seen: Seen) -> Iterator[Page]:
    package = _package(archive, limit)
    folder = posixpath.dirname(package)
    soup = _parsed(archive, package, limit)
    files = {
        str(item.get("id")): str(item.get("href"))
        for item in soup.find_all("item")
        if "nav" not in str(item.get("properties") or "").split()
    }
    about = _about(soup)
    room = limit
    hrefs = [files.get(str(entry.get("idref"))) for entry in soup.find_all("itemref")]
    chapters = [href for href in hrefs if href is not None]
    seen.tell_total(len(chapters))
    for number, href in enumerate(chapters, start=1):
        name = posixpath.normpath(posixpath.join(folder, unquote(href)))
        text = about + html_text(_read(archive, name, limit))
        about = ""
        room -= len(text)
        if room < 0:
            raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        yield Page(number, text)


def _about(package: "BeautifulSoup") -> str:
    """What a book is called and who wrote it, which its chapters need not say."""
    lines = []
    for label, name in (("Title", "dc:title"), ("Author", "dc:creator")):
        said = [" ".join(one.get_text(" ").split()) for one in package.find_all(name)]
        shown = "; ".join(dict.fromkeys(filter(None, said)))[:_LONGEST_NAME]
        lines += [f"{label}: {shown}"] if shown else []
    return "\n".join(lines) + "\n\n" if lines else ""


def _package(archive: zipfile.ZipFile, limit: int) -> str:
    root = _parsed(archive, _CONTAINER, limit).find("rootfile")
    path = root.get("full-path") if root is not None else None
    if not path:
        raise Failure(FILE_DAMAGED, reason="it names no contents")
    return str(path)


def _parsed(archive: zipfile.ZipFile, name: str, limit: int) -> "BeautifulSoup":
    from bs4 import BeautifulSoup  # noqa: PLC0415 - each format loads its own library

    # The HTML parser knows no external entities, and is forgiving.
    return BeautifulSoup(_read(archive, name, limit), "html.parser")


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> str:
    most = _LONGEST_CHAPTER * limit
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    return data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
