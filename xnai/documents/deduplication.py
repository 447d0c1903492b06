"""The same file twice, and a new version of a file."""

from collections.abc import Sequence
from typing import NamedTuple

from xnai.documents.storage import Received
from xnai.types import Document


class Replacement(NamedTuple):
    """Where a file that came in belongs: it is ``known``, or new and ``replaces`` documents."""

    known: Document | None
    replaces: tuple[str, ...] = ()


def place(
    documents: Sequence[Document],
    former: Sequence[Document],
    received: Received,
    *,
    own_name: bool,
) -> Replacement:
    """Tell which document a file is, among those of its owner.

    Afterwards none of ``former`` with the file's name has another content. A document that another
    one is about to replace is not what a file can be recognised as: it will be gone. One of another
    name is, unless something is to be replaced under the file's own or ``own_name`` wants that.
    """
    ids = {document.id for document in former}
    named = [d for d in documents if d.id in ids and d.file_name == received.name]
    doomed = {gone for d in documents if d.status != "error" for gone in d.replaces}
    alike = [d for d in documents if _is_same(d, received) and d.id not in doomed]
    same_name = [d for d in alike if d.file_name == received.name]
    others = [d for d in named if d not in same_name[:1]]
    if same_name and not others:
        return Replacement(same_name[0])
    if alike and not others and not own_name:
        return Replacement(alike[0])
    # Made anew even if one of them has this content: documents replace older ones only, so that
    # two can never be waiting to delete each other.
    return Replacement(None, tuple(document.id for document in named))


def _is_same(document: Document, received: Received) -> bool:
    return (document.sha256, document.size) == (received.sha256, received.size)
