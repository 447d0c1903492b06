"""What is kept of pages beside their texts, as rows keep it: places of words, and blocks."""

import json
import zlib
from typing import Any

import apsw

from xnai.types import Block, Page, PageDetails, PlacedWord


def stored(page: Page) -> tuple[str, bytes | None]:
    """Return what is stored of a page: words with places of their own, if any, and blocks."""
    words = ""
    if page.native is not None or page.words:
        words = json.dumps({"native": page.native, "words": page.words}, separators=(",", ":"))
    made_of = json.dumps([page.section, page.blocks], separators=(",", ":"))
    return words, zlib.compress(made_of.encode(), level=1)


def of_page(connection: apsw.Connection, document_id: str, number: int) -> PageDetails:
    """What is known of a page; nothing of one that is not there."""
    query = "SELECT places, blocks FROM pages WHERE document_id = ? AND number = ?"
    row: Any = connection.execute(query, (document_id, number)).fetchone()
    if row is None:
        return PageDetails()
    places, made_of = row[0], row[1]
    read: Any = json.loads(places) if places else {"native": None, "words": ()}
    words = tuple(PlacedWord(*word) for word in read["words"])
    try:
        section, blocks = json.loads(zlib.decompress(made_of or b""))
    except (zlib.error, ValueError):  # there are none, or they are damaged: the text has them too
        return PageDetails(read["native"], words)
    return PageDetails(read["native"], words, section, tuple(map(_block, blocks)))


def _block(values: Any) -> Block:
    kind, start, end, rows, box = values
    return Block(kind, start, end, tuple(map(tuple, rows)), tuple(box) if box else None)
