"""What is known of a document, kept beside its original: enough to read it again without an index.

``<id>.json`` stands beside the file ``<id>``; ``<id>.json.new`` was not finished, and
``<id>.json.gone`` says that a person had the document deleted.
"""

import json
import os
from pathlib import Path

from xnai.types import Document

CARD, DRAFT, GONE = ".json", ".json.new", ".json.gone"
_FIELDS = {
    "id": str,
    "owner": str,
    "collection": str,
    "file_name": str,
    "media_type": str,
    "size": int,
    "sha256": str,
    "created_at": float,
}


def beside(original: Path, suffix: str = CARD) -> Path:
    """Return where the card of an original lies."""
    return original.with_name(original.name + suffix)


def draft(original: Path, document: Document) -> None:
    """Write a card that does not count yet."""
    content = {name: getattr(document, name) for name in _FIELDS}
    handle = os.open(beside(original, DRAFT), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())


def finish(original: Path) -> None:
    """Have a draft count."""
    beside(original, DRAFT).replace(beside(original))


def write(original: Path, document: Document) -> None:
    """Write a card, or another one in its place."""
    draft(original, document)
    finish(original)


def agree(one: Document, other: Document) -> bool:
    """Tell whether two documents have the same card."""
    return all(getattr(one, name) == getattr(other, name) for name in _FIELDS)


def read(original: Path) -> Document | None:
    """Return what a card says; None if there is none that can be read."""
    try:
        content = json.loads(beside(original).read_text("utf-8"))
        values = {name: kind(content[name]) for name, kind in _FIELDS.items()}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Document(**values) if values["id"] == original.name else None
