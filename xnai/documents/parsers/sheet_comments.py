"""What people have noted beside the cells of a sheet; used in the confined process only."""

import posixpath
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

_MOST = 2_000  # comments of a sheet
_LONGEST = 2_000  # characters of one


def of_sheet(parts: BytesIO, sheet: str) -> list[str]:
    """The comments of a sheet, by the path of its XML, each with its cell and author."""
    with zipfile.ZipFile(parts) as archive:
        names = set(archive.namelist())
        folder, name = posixpath.split(sheet)
        relations = f"{folder}/_rels/{name}.rels"
        if relations not in names:
            return []
        found = []
        for one in etree.fromstring(archive.read(relations), _parser()).iter("{*}Relationship"):
            target = str(one.get("Target") or "")
            path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            if str(one.get("Type") or "").endswith("/comments") and path in names:
                found += list(_comments(archive.read(path)))
        return found[:_MOST]


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, recover=True)


def _comments(xml: bytes) -> Iterator[str]:
    root = etree.fromstring(xml, _parser())
    if root is None:
        return
    authors = ["".join(one.itertext()).strip() for one in root.iter("{*}author")]
    for one in root.iter("{*}comment"):
        text = " ".join("".join(part.text or "" for part in one.iter("{*}t")).split())[:_LONGEST]
        number = str(one.get("authorId") or "")
        author = authors[int(number)] if number.isdecimal() and int(number) < len(authors) else ""
        if text:
            yield f"Comment{f' by {author}' if author else ''} on {one.get('ref') or ''}: {text}"
