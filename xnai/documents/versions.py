"""The same file twice, and a new version of a file."""

from xnai.documents.files import Received
from xnai.retrieval.protocol import Index
from xnai.types import Document


async def same(index: Index, owner: str, received: Received) -> Document | None:
    """The owner's document of the very same content, if there is one."""
    for document in await index.documents(owner):
        if (document.sha256, document.size) == (received.sha256, received.size):
            return document
    return None


async def older(index: Index, document: Document) -> list[Document]:
    """What the owner had under the same name before."""
    return [
        other
        for other in await index.documents(document.owner)
        if other.file_name == document.file_name
        and other.id != document.id
        and other.created_at < document.created_at
    ]
