"""The texts of documents as agents read them: a stretch at a time."""

from dataclasses import dataclass

from xnai.api.protocol import ApiRuntime
from xnai.api.scope import require_processed
from xnai.documents.text_work import TextWork
from xnai.errors import NOT_FOUND, XnaiError
from xnai.types import Document


@dataclass(frozen=True, slots=True)
class TextStretch:
    """A stretch of a page; ``page`` is None for a document without any.

    ``characters`` counts those of the whole page, ``next_page`` is the one behind it.
    """

    page: int | None
    text: str
    characters: int
    next_page: int | None


class DocumentTexts:
    """Reads pages; of one person few at a time, for a page may have millions of characters."""

    def __init__(self, runtime: ApiRuntime, text_work: TextWork) -> None:
        self._runtime = runtime
        self._text_work = text_work

    async def part(self, document: Document, page: int | None, start: int, end: int) -> TextStretch:
        """Return a stretch of a page, of the first one if none is named.

        Raises:
            XnaiError: NOT_FOUND, there is no such page; the document has no text.

        """
        require_processed(document)
        async with self._text_work.turn(document.owner):
            number, text = page, await self._text(document, page)
            if text is None and page is None:
                number, text = 1, await self._text(document, 1)
            elif text is None and page == 1 and document.page_count == 1:
                number, text = None, await self._text(document, None)  # it has none
            if text is None:
                what = f"page of {document.file_name!r} with the number"
                raise XnaiError(NOT_FOUND, what=what, name=page or 1)
            following = None if number is None else number + 1
            if following is not None and following > document.page_count:
                following = None
            return TextStretch(number, text[start:end], len(text), following)

    async def _text(self, document: Document, page: int | None) -> str | None:
        return await self._runtime.library.page_text(document.id, page)
