"""Where the words of pages stand that are in pictures or forms, as rows keep it."""

import json

import apsw

from xnai.types import Page, PlacedWord


def stored(page: Page) -> str:
    """Return what is stored of a page; empty if none of its words has a place of its own."""
    if page.native is None and not page.words:
        return ""
    return json.dumps({"native": page.native, "words": page.words}, separators=(",", ":"))


def of_page(
    connection: apsw.Connection, document_id: str, number: int
) -> tuple[int | None, tuple[PlacedWord, ...]]:
    """How many characters of a page a PDF has for itself, and words with places of their own."""
    query = "SELECT places FROM pages WHERE document_id = ? AND number = ?"
    found = connection.execute(query, (document_id, number)).get
    if not found:
        return None, ()
    read = json.loads(found)
    return read["native"], tuple(PlacedWord(*word) for word in read["words"])
