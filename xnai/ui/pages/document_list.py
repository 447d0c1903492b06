"""``/documents``: all documents of a person, over all chats and the API."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from chainlit.data import get_data_layer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from xnai.accounts import SERVER, Principal, may
from xnai.api.auth import Authority
from xnai.api.errors import require_search
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.errors import UNAUTHORIZED, XnaiError
from xnai.locale import Texts
from xnai.observability.error_reports import report
from xnai.retrieval.document_lists import Shelved
from xnai.retrieval.libraries import HOME, NamedLibrary
from xnai.types import Document, Passage, Scope
from xnai.ui import links, markdown
from xnai.ui.document_words import progress_words, state_words
from xnai.ui.library_choice import library_name
from xnai.ui.pages.library_shelf import Placing, Shelf
from xnai.ui.pages.list_query import ORDERS, PATH, THREAD, ListQuery, query_of
from xnai.ui.pages.open_library import (
    MirrorWords,
    OpenLibrary,
    going_words,
    members_words,
    mirror_words,
    shelf_links,
)
from xnai.ui.pages.reading_report import report_lines
from xnai.ui.pages.rendering import catalogued_problem, page_response
from xnai.ui.reading_language import texts_for

PAGE = 100  # documents on one page
FOUND = 12  # places that are shown for words that are looked for
SURE = 3  # of these are shown although they have none of the words: they may say it in others
_AROUND = 160  # characters before and behind the words that answer
_SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as the list shows it; ``chat`` is the address and name of the chat it is in."""

    document: Document
    state: str
    words: str
    share: int | None  # per cent that are read
    report: tuple[str, ...]
    chat: tuple[str, str]
    added: str
    placing: Placing
    shelved: Shelved
    is_theirs: bool


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A place that was found, as an address and words before, in and behind what was meant."""

    address: str
    where: str
    before: str
    meant: str
    after: str


class DocumentList:
    """The page, and what its buttons do; whoever is signed in to the chat sees their own."""

    def __init__(
        self, runtime: ApiRuntime, authority: Authority, read_again: Callable[[str], None]
    ) -> None:
        self._runtime = runtime
        self._read_again = read_again
        self._authority = authority

    async def show(self, request: Request) -> Response:
        """Show the documents, newest first, or say why they cannot be shown."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            values = await self._values(person, query_of(request), texts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, a page says so
            error = report(exc)
            if error.kind is UNAUTHORIZED:
                return RedirectResponse(f"/login?{urlencode({'next': PATH}, safe='/')}", _SEE_OTHER)
            return catalogued_problem(error, texts.say("The documents cannot be shown"), texts)
        return page_response("documents.html", values, texts)

    async def delete(self, request: Request) -> Response:
        """Delete a document of the person."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            document = await allowed(self._runtime, person, "change", request.path_params["id"])
            await self._runtime.library.delete(document.id)  # or it has gone meanwhile
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not deleted"), texts)
        return Response(status_code=204)

    async def again(self, request: Request) -> Response:
        """Read a document of the person once more, which could not be read."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            document = await allowed(self._runtime, person, "change", request.path_params["id"])
            self._read_again(document.id)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It is not read again"), texts)
        return Response(status_code=202)

    async def _values(
        self, person: Principal, wanted: ListQuery, texts: Texts
    ) -> dict[str, object]:
        libraries, shelving = self._runtime.libraries, self._runtime.shelving
        opened = await libraries.get(person, wanted.library) if wanted.library else None
        asked = wanted.wanted(person.person_id)
        listed = await shelving.page(person, asked, (wanted.page - 1) * PAGE, PAGE)
        pages = max(1, math.ceil(listed.count / PAGE))
        if wanted.page > pages:
            wanted = replace(wanted, page=pages)
            listed = await shelving.page(person, asked, (pages - 1) * PAGE, PAGE)
        shown = listed.documents
        ids = [one.id for one in shown]
        chats = await _chats()
        shelf = Shelf(person, await libraries.all(person), await libraries.libraries_of(ids), texts)
        there = await shelving.shelved(person, opened.id, ids) if opened else {}
        rows = [
            self._row(person, one, chats, shelf.placing(one), there.get(one.id), texts)
            for one in shown
        ]
        scope = Scope(person.person_id, libraries=(opened.id,) if opened else ())
        number = wanted.page
        return {
            "rows": rows,
            "count": listed.all,
            "places": await self._places(scope, wanted.q, listed.all, texts),
            "asked": wanted,
            "q": wanted.q,
            "chat": wanted.chat,
            "libraries": shelf.entries(wanted.library),
            "targets": shelf.targets(wanted.library),
            "orders": [(one, texts.say(words)) for one, words in ORDERS.items()],
            "library": wanted.library,
            "taking": None if wanted.chat else shelf.taking(wanted.library),
            "most_mb": self._runtime.settings.upload_max_mb,
            "opened": await self._opened(person, opened, wanted, texts) if opened else None,
            "mirrored": self._mirrored(person, opened, texts),
            "reading": any(one.status in {"uploaded", "processing"} for one in shown),
            "before": wanted.address(page=number - 1) if number > 1 else "",
            "after": wanted.address(page=number + 1) if number < pages else "",
            "where": texts.say("Page {page} of {pages}", page=number, pages=pages),
        }

    async def _opened(
        self, person: Principal, library: NamedLibrary, wanted: ListQuery, texts: Texts
    ) -> OpenLibrary:
        folders, tags = await self._runtime.shelving.shelves(person, library.id)
        return OpenLibrary(
            name=library_name(library, texts),
            going=await going_words(self._runtime, person, library, texts),
            folders=shelf_links(folders, wanted, "folder"),
            tags=shelf_links(tags, wanted, "tag"),
            members=members_words(person, library, texts),
        )

    def _mirrored(
        self, person: Principal, opened: NamedLibrary | None, texts: Texts
    ) -> list[MirrorWords]:
        """Say how it stands with folders of the server; in the list of all, what is wrong."""
        states = self._runtime.mirror.states if may(person, "operate", SERVER) else ()
        if opened is None:
            return [mirror_words(one, texts) for one in states if one.error is not None]
        return [mirror_words(one, texts) for one in states if one.library_id == opened.id]

    def _row(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        person: Principal,
        document: Document,
        chats: Mapping[str, str],
        placing: Placing,
        shelved: Shelved | None,
        texts: Texts,
    ) -> DocumentRow:
        state, words, share = "ready", state_words(document, texts), None
        if document.status in {"error", "missing"}:
            state = "failed"
            words = f"{words} {document.error_hint}".strip()
        elif document.status != "processed":
            progress = self._runtime.library.progress(document.id)
            state = "reading" if progress else "waiting"
            words = texts.say("Waits for its turn")
            if progress:
                words = progress_words(document.file_name, progress, texts)
                share = round(100 * progress.share)
        moment = datetime.fromtimestamp(document.created_at, UTC)
        return DocumentRow(
            document=document,
            state=state,
            words=words,
            share=share,
            report=tuple(report_lines(document, texts)),
            chat=_chat(document, chats, texts),
            added=moment.isoformat(timespec="minutes"),
            placing=placing,
            shelved=shelved or Shelved("", ()),
            is_theirs=may(person, "change", document),
        )

    async def _places(self, scope: Scope, words: str, count: int, texts: Texts) -> list[FoundPlace]:
        """Find what stands in the documents for some words."""
        if not words or not count:
            return []
        found = await self._runtime.library.search(words, scope, FOUND)
        asked = words.casefold().split()
        return [
            _place(passage, texts)
            for number, passage in enumerate(found)
            if number < SURE or any(word in passage.text.casefold() for word in asked)
        ]


def _place(passage: Passage, texts: Texts) -> FoundPlace:
    start, end = passage.evidence or (0, len(passage.text))
    query = {
        "page": passage.page or 0,
        "start": passage.start + start,
        "end": passage.start + end,
    }
    before = passage.text[max(0, start - _AROUND) : start]
    return FoundPlace(
        address=f"{links.READER}/{passage.document_id}?{urlencode(query)}",
        where=markdown.location(passage.file_name, passage.page, texts),
        before=markdown.said(f"…{before}" if start > _AROUND else before),
        meant=markdown.said(passage.text[start:end]),
        after=markdown.shorten(markdown.said(passage.text[end:]), _AROUND),
    )


async def _chats() -> dict[str, str]:
    """Return the names of the person's chats by their ids; none where the history is away."""
    history = get_data_layer()
    try:
        return dict(await history.thread_names()) if history else {}
    except XnaiError as exc:
        report(exc)
        return {}


def _chat(document: Document, chats: Mapping[str, str], texts: Texts) -> tuple[str, str]:
    if document.collection.startswith(HOME):
        return "", texts.say("In a library")
    if not document.collection.startswith(THREAD):
        return "", texts.say("Brought by a program")
    thread = document.collection.removeprefix(THREAD)
    if thread not in chats:
        return "", texts.say("In a chat without a message yet")
    return f"/thread/{thread}", chats[thread] or texts.say("A chat")
