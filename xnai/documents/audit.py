"""What the audit log says of documents: which came, which were refused, which were deleted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xnai.errors import XnaiError
from xnai.observability.audit import AuditLog
from xnai.types import Document

Note = Callable[[Document, str], None]


class DocumentNotes:
    """Writes to the audit log, if there is one; names of files only if it keeps content."""

    def __init__(self, audit: AuditLog | None) -> None:
        self._audit = audit

    @contextmanager
    def adding(self, owner: str, collection: str, name: str) -> Iterator[Note]:
        """Note what becomes of a file: ``accepted``, ``known`` already, or refused by an error."""
        try:
            yield lambda document, outcome: self._upload(
                (owner, collection), name, outcome, document
            )
        except XnaiError as exc:
            self._upload((owner, collection), name, "refused", error=exc.code)
            raise

    def _upload(
        self,
        belongs: tuple[str, str],
        name: str,
        outcome: str,
        document: Document | None = None,
        *,
        error: str | None = None,
    ) -> None:
        fields = {
            "document": document.id if document else None,
            "bytes": document.size if document else None,
            "media_type": document.media_type if document else None,
            "replaces": list(document.replaces) if document else [],
        }
        if self._audit is not None:
            names = {"file_name": name} if self._audit.keeps_content else {}
            self._audit.record(
                "upload",
                owner=belongs[0],
                collection=belongs[1] or None,
                outcome=outcome,
                error=error,
                **fields,
                **names,
            )

    def deleted(self, document_id: str) -> None:
        """Note that a document is gone."""
        if self._audit is not None:
            self._audit.record("delete", document=document_id)
