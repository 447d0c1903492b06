"""``/reader/{id}``: a document at the place that an answer cites.

The same HTML is a page of its own and what the panel beside the chat shows (public/page/reader.js).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xnai.accounts import may
from xnai.api.auth import Authority
from xnai.api.pages import query_number
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed, require_processed
from xnai.documents.media_types import DRAWN, PDF
from xnai.documents.text_work import TextWork
from xnai.errors import NOT_FOUND, UNAUTHORIZED, XnaiError
from xnai.locale import Texts, marked
from xnai.observability.error_reports import report
from xnai.retrieval.former import FormerDocument
from xnai.types import UNITS, Document
from xnai.ui.pages.gone import gone_page
from xnai.ui.pages.pieces import TextPart, part_of
from xnai.ui.pages.rendering import page_response, problem_page
from xnai.ui.reading_language import texts_for

_MOST = 2**31
_WIDTH = 1600  # pixels of a page's picture
# What a person is told in the place of what a program is told.
_WORDS = {
    NOT_FOUND: (
        marked("This document is not here"),
        marked("It was deleted, or it belongs to somebody else."),
    ),
    UNAUTHORIZED: (
        marked("Sign in to read this"),
        marked("The document belongs to somebody with a key."),
    ),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What of a document is asked for; ``cited`` is the page on which the passage stands.

    ``page`` is 0 where a document has none, ``part`` None for the part with the passage.
    """

    page: int
    start: int
    end: int
    cited: int
    part: int | None

    @property
    def is_cited(self) -> bool:
        """Whether the passage stands on this page."""
        return self.page == self.cited


class ReaderPage:
    """The page; whoever may read a document's pages over HTTP may read them here."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._text_work = TextWork()

    async def show(self, request: Request) -> Response:
        """Show a page of a document, or say why it cannot be shown."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            document = await allowed(self._runtime, person, "see", request.path_params["id"])
            require_processed(document)
            place = _place(request, document)
            async with self._text_work.turn(document.owner):
                place, part = await self._part(document, place)
        except Exception as exc:  # noqa: BLE001 - whatever it is, a page says so
            error = report(exc)
            if error.kind is NOT_FOUND and (former := await self._former(request)):
                return gone_page(former, query_number(request, "page", 0, (0, _MOST)), texts)
            return _problem(error, f"{request.url.path}?{request.url.query}", texts)
        if part is None:
            return _no_page(document, place, texts)
        return page_response("reader.html", _values(document, place, part, texts), texts)

    async def _former(self, request: Request) -> FormerDocument | None:
        """Return what became of the document, if it was the reader's own."""
        try:
            person = self._authority.reader(request)
            former = await self._runtime.shelving.former(request.path_params["id"])
        except XnaiError:
            return None
        return former if former is not None and may(person, "see", former) else None

    async def _part(self, document: Document, place: Place) -> tuple[Place, TextPart | None]:
        """Return what of a page is shown; None if the document has no such page."""
        library = self._runtime.library
        content = await library.page_content(document, place.page or None)
        if content is None and not place.page:  # one page, which has a number
            place = replace(place, page=1, cited=place.cited or 1)
            content = await library.page_content(document, 1)
        if content is None:
            return place, None
        start, end = (place.start, place.end) if place.is_cited else (0, 0)
        shown = (content.text, content.blocks, start, end, place.part)
        return place, await self._text_work.run(part_of, *shown)

    async def layer(self, request: Request) -> Response:
        """Return what lies over a page that is shown as it looks: marks, and recognised words."""
        person = self._authority.reader(request)
        document = await allowed(self._runtime, person, "see", request.path_params["id"])
        require_processed(document)
        page = query_number(request, "page", 1, (1, _MOST))
        start = query_number(request, "start", 0, (0, _MOST))
        end = query_number(request, "end", start, (0, _MOST))
        layer = await self._runtime.library.page_layer(document, page, start, end)
        return JSONResponse(
            {
                "marks": [_shares(box) for box in layer.marks],
                "words": [[word.text, *_shares(word.box)] for word in layer.words],
            },
            headers={"Cache-Control": "private, no-store"},
        )


def _shares(box: Sequence[int]) -> list[float]:
    """Return left, top, right and bottom as shares of the page."""
    return [end / UNITS for end in box]


def _place(request: Request, document: Document) -> Place:
    """Read the place from the address.

    Raises:
        XnaiError: BAD_REQUEST, a number is none or out of its range.

    """
    start = query_number(request, "start", 0, (0, _MOST))
    end = query_number(request, "end", start, (0, _MOST))
    page = query_number(request, "page", 0, (0, _MOST))
    if page == 0 and (document.page_count > 1 or document.media_type in DRAWN):
        page = 1
    part = query_number(request, "part", 0, (0, _MOST))
    return Place(
        page=page,
        start=start,
        end=max(start, end),
        cited=query_number(request, "cited", page, (0, _MOST)),
        part=part - 1 if part else None,
    )


def _where(document: Document, place: Place, part: TextPart, texts: Texts) -> str:
    """Say which page this is, and which part of a long one."""
    words = []
    if place.page:
        page, pages = place.page, document.page_count
        words.append(texts.say("Page {page} of {pages}", page=page, pages=pages))
    if part.count > 1 and document.media_type not in DRAWN:
        number, parts = part.number + 1, part.count
        later, alone = marked("part {part} of {parts}"), marked("Part {part} of {parts}")
        words.append(texts.say(later if words else alone, part=number, parts=parts))
    return ", ".join(words)


def _values(document: Document, place: Place, part: TextPart, texts: Texts) -> dict[str, Any]:
    """Return what the template shows."""
    drawn = document.media_type in DRAWN
    before, after = _neighbours(document, place, part, drawn=drawn)
    shows_passage = place.is_cited and (part.marked or place.end <= place.start)
    return {
        "document": document,
        "where": _where(document, place, part, texts),
        "part": part,
        "drawn": drawn,
        "place": place,
        "kind": "" if not drawn else "pdf" if document.media_type == PDF else "photo",
        "recognised": document.report.pages_ocr > 0,
        "picture": _picture(document, place) if drawn else "",
        "page": place.page,
        "before": before,
        "after": after,
        "cited": "" if shows_passage else _here(place, place.cited, None),
    }


def _picture(document: Document, place: Place) -> str:
    marked = {"start": place.start, "end": place.end} if place.is_cited else {}
    query = urlencode({**marked, "width": _WIDTH})
    return f"/v1/files/{document.id}/pages/{place.page}.png?{query}"


def _neighbours(
    document: Document, place: Place, part: TextPart, *, drawn: bool
) -> tuple[str, str]:
    """Return the addresses of what comes before and after; empty at either end."""
    before = after = ""
    if part.number > 0 and not drawn:
        before = _here(place, place.page, part.number - 1)
    elif place.page > 1:
        before = _here(place, place.page - 1, 0)
    if part.number + 1 < part.count and not drawn:
        after = _here(place, place.page, part.number + 1)
    elif place.page and place.page < document.page_count:
        after = _here(place, place.page + 1, 0)
    return before, after


def _here(place: Place, page: int, part: int | None) -> str:
    query = {"page": page, "start": place.start, "end": place.end, "cited": place.cited}
    return "?" + urlencode(query if part is None else {**query, "part": part + 1})


def _no_page(document: Document, place: Place, texts: Texts) -> Response:
    words = texts.say("{file} has no page {page}.", file=document.file_name, page=place.page)
    return problem_page(NOT_FOUND.status, texts.say("There is no such page"), words, texts)


def _problem(error: XnaiError, where: str, texts: Texts) -> Response:
    if error.kind in _WORDS:
        title, words = map(texts.say, _WORDS[error.kind])
    else:
        title = texts.say("This document cannot be shown")
        words = " ".join(error.in_words_of(texts.translation)).strip()
    form = (f"/login?{urlencode({'next': where}, safe='/')}", texts.say("Sign in"))
    return problem_page(
        error.kind.status,
        title,
        words,
        texts,
        reference="" if error.kind in _WORDS else error.code,
        link=form if error.kind is UNAUTHORIZED else ("", ""),
    )
