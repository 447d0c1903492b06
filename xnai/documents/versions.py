"""The same file twice, and a new version of a file."""

from collections.abc import Sequence

from xnai.documents.files import Received
from xnai.types import Document


def same(documents: Sequence[Document], received: Received) -> Document | None:
    """The document of the very same content, if there is one."""
    for document in documents:
        if (document.sha256, document.size) == (received.sha256, received.size):
            return document
    return None


def replaced(
    documents: Sequence[Document], former: Sequence[Document], name: str
) -> tuple[str, ...]:
    """Of the owner's documents the ids of those among ``former`` that have the name."""
    ids = {document.id for document in former}
    return tuple(d.id for d in documents if d.id in ids and d.file_name == name)
