"""Originals without a record: what they are is told by their cards, or found out again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from xnai.accounts.protocol import Conversations
from xnai.documents import cards
from xnai.errors import XnaiError
from xnai.types import Document

Recognise = Callable[[Path, str, str], Awaitable[str]]  # the media type of a file: name, owner
Whose = Callable[[str, str], str]  # the person's id for an owner and a collection; blocks

# Of a file that only the API can have brought: without keys there is but one person. Both are names
# of earlier versions, which ``Whose`` takes as well.
LOCAL_OWNER, NOBODY = "api", "nobody"
_THREAD = "thread:"  # what the collection of a chat begins with


@dataclass(frozen=True, slots=True)
class Recovery:
    """Finds out what an original without a record is.

    Files of versions that kept no cards belong to the conversation that shows them, else to the one
    local user, or to nobody where there are several.

    Attributes:
        recognise: tells what kind of file it is.
        whose: tells whose a document is now.
        conversations: those that may show it.
        keyed: whether there are several users.

    """

    recognise: Recognise
    whose: Whose
    conversations: Conversations
    keyed: bool = False

    async def record(self, original: Path) -> Document:
        """Return a record for an original that has none.

        Raises:
            OSError: it cannot be read.

        """
        bare = await asyncio.to_thread(self._bare, original)
        if bare.media_type:
            return bare
        try:
            media_type = await self.recognise(original, bare.file_name, bare.owner)
            return replace(bare, media_type=media_type)
        except XnaiError as error:
            return failed(replace(bare, media_type="application/octet-stream"), error)

    def of_card(self, original: Path) -> Document | None:
        """Return what the card of an original says, with the owner of now; blocks."""
        known = cards.read(original)
        return known and replace(known, owner=self.whose(known.owner, known.collection))

    def _bare(self, original: Path) -> Document:
        """Return what is known without a look into a file; of one without a card not its type."""
        status = original.stat()
        if known := self.of_card(original):
            return replace(known, size=status.st_size)
        thread, name = self.conversations.showing(original.name)
        collection = f"{_THREAD}{thread}" if thread else ""
        owner = "" if collection else (NOBODY if self.keyed else LOCAL_OWNER)
        with original.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Document(
            id=original.name,
            owner=self.whose(owner, collection),
            collection=collection,
            file_name=name or f"recovered-{original.name[:8]}",
            media_type="",
            size=status.st_size,
            sha256=digest,
            created_at=status.st_mtime,
        )


def failed(record: Document, error: XnaiError) -> Document:
    """Return the record of a document that cannot be read."""
    return replace(
        record,
        status="error",
        error_code=error.code,
        error_message=error.message,
        error_hint=error.hint,
    )
