"""Documents as resources: ``xnai://documents/{id}``, and ``…/pages/{page}`` for one page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xnai.accounts import Principal
from xnai.api.bodies import parse_number
from xnai.api.errors import require_accepting, require_search
from xnai.api.mcp.texts import DocumentTexts
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.errors import NOT_FOUND, XnaiError
from xnai.types import Document

DOCUMENT = "xnai://documents/{document_id}"
PAGE = "xnai://documents/{document_id}/pages/{page}"
LISTED = 100  # in one answer
_WHOLE = 200_000  # characters of a document that one answer has
_URI = re.compile(r"xnai://documents/(?P<id>[A-Za-z0-9_-]{1,200})(?:/pages/(?P<page>[0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text of a document under its own address."""

    uri: str
    text: str


class DocumentResources:
    """What agents may attach to a conversation: the documents of whoever asks."""

    def __init__(self, runtime: ApiRuntime, texts: DocumentTexts) -> None:
        self._runtime = runtime
        self._texts = texts

    async def listed(
        self, caller: Principal, after: str | None
    ) -> tuple[Sequence[Document], str | None]:
        """Return documents that can be read, newest first, and behind which the next ones come.

        Raises:
            XnaiError: SEARCH_DOWN; NOT_FOUND, the cursor is no document of the caller.

        """
        require_search(self._runtime)
        documents = await self._runtime.library.all_documents(caller.person_id)
        there = [one for one in documents if one.is_searchable][::-1]
        ids = [one.id for one in there]
        if after is not None and after not in ids:
            raise XnaiError(NOT_FOUND, what="cursor", name=after[:100])
        start = 0 if after is None else ids.index(after) + 1
        shown = there[start : start + LISTED]
        return shown, shown[-1].id if start + len(shown) < len(there) else None

    async def read(self, caller: Principal, uri: str) -> list[ReadText]:
        """Return the texts of a document, page by page, or that of one page.

        A long document is cut; what is left out has its pages' addresses.

        Raises:
            XnaiError: NOT_FOUND, also for somebody else's; the document has no text.

        """
        match = _URI.fullmatch(uri)
        if match is None:
            raise XnaiError(NOT_FOUND, what="resource", name=uri[:100])
        require_accepting(self._runtime)
        document = await allowed(self._runtime, caller, "see", match["id"])
        if match["page"] is not None:
            part = await self._texts.part(document, parse_number(match["page"]), 0, _WHOLE)
            return [ReadText(uri, part.text)]
        return await self._pages(document)

    async def _pages(self, document: Document) -> list[ReadText]:
        texts: list[ReadText] = []
        left, page = _WHOLE, None
        while left > 0:
            part = await self._texts.part(document, page, 0, left)
            uri = DOCUMENT.format(document_id=document.id)
            if part.page is not None:
                uri = PAGE.format(document_id=document.id, page=part.page)
            texts.append(ReadText(uri, part.text))
            left -= max(1, len(part.text))
            page = part.next_page
            if page is None:
                break
        return texts
