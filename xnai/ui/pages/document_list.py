"""``/documents``: all documents of a person, over all chats and the API."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from chainlit.data import get_data_layer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from xnai.accounts import Principal, may
from xnai.api.auth import Authority
from xnai.api.errors import require_search
from xnai.api.pages import query_number
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.errors import UNAUTHORIZED, XnaiError
from xnai.locale import Texts
from xnai.observability.error_reports import report
from xnai.retrieval.libraries import HOME
from xnai.types import Document, Passage, Scope
from xnai.ui import links, markdown
from xnai.ui.document_words import progress_words, state_words
from xnai.ui.library_choice import library_name
from xnai.ui.pages.library_shelf import Placing, Shelf, going_words
from xnai.ui.pages.rendering import catalogued_problem, page_response
from xnai.ui.reading_language import texts_for

PATH = "/documents"
PAGE = 100  # documents on one page
FOUND = 12  # places that are shown for words that are looked for
SURE = 3  # of these are shown although they have none of the words: they may say it in others
_LONGEST = 200  # characters of words that are looked for
_AROUND = 160  # characters before and behind the words that answer
_THREAD = "thread:"  # begins the name of a chat's collection, see xnai/ui/documents.py
_SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What is asked for: words in a name, those of a chat or a library, which page of the list."""

    words: str
    chat: str
    library: str
    number: int

    def address(self, number: int) -> str:
        """Return the address of a page of the same list."""
        query = {
            "q": self.words,
            "chat": self.chat,
            "library": self.library,
            "page": number,
        }
        return f"{PATH}?{urlencode({key: value for key, value in query.items() if value})}"

    def has(self, document: Document) -> bool:
        """Whether a document is in the list."""
        is_there = not self.chat or document.collection == f"{_THREAD}{self.chat}"
        return is_there and self.words.casefold() in document.file_name.casefold()


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
            number = query_number(request, "page", 1, (1, 2**31))
            query = request.query_params
            words = query.get("q", "")[:_LONGEST].strip()
            wanted = ListQuery(words, query.get("chat", ""), query.get("library", ""), number)
            values = await self._values(person, wanted, texts)
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
        libraries = self._runtime.libraries
        opened = await libraries.get(person, wanted.library) if wanted.library else None
        if opened is None:
            everything = list(await self._runtime.library.all_documents(person.person_id))
        else:
            everything = [one for one, _ in await libraries.standing(person, opened.id)]
        named = [one for one in everything if wanted.has(one)][::-1]
        pages = max(1, math.ceil(len(named) / PAGE))
        number = min(wanted.number, pages)
        shown = named[(number - 1) * PAGE : number * PAGE]
        chats = await _chats()
        standing = await libraries.libraries_of([one.id for one in shown])
        seen = await libraries.all(person)
        shelf = Shelf(person, seen, standing, texts)
        rows = [self._row(person, one, chats, shelf.placing(one), texts) for one in shown]
        scope = Scope(person.person_id, libraries=(opened.id,) if opened else ())
        return {
            "rows": rows,
            "count": len(everything),
            "places": await self._places(scope, wanted.words, everything, texts),
            "q": wanted.words,
            "chat": wanted.chat,
            "libraries": shelf.entries(wanted.library),
            "library": wanted.library,
            "library_name": library_name(opened, texts) if opened else "",
            "going": await going_words(self._runtime, person, opened, texts) if opened else "",
            "reading": any(one.status in {"uploaded", "processing"} for one in shown),
            "before": wanted.address(number - 1) if number > 1 else "",
            "after": wanted.address(number + 1) if number < pages else "",
            "where": texts.say("Page {page} of {pages}", page=number, pages=pages),
        }

    def _row(
        self,
        person: Principal,
        document: Document,
        chats: Mapping[str, str],
        placing: Placing,
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
            is_theirs=may(person, "change", document),
        )

    async def _places(
        self, scope: Scope, words: str, everything: Sequence[Document], texts: Texts
    ) -> list[FoundPlace]:
        """Find what stands in the documents for some words."""
        if not words or not any(document.is_searchable for document in everything):
            return []
        found = await self._runtime.library.search(words, scope, FOUND)
        asked = words.casefold().split()
        return [
            _place(passage, texts)
            for number, passage in enumerate(found)
            if number < SURE or any(word in passage.text.casefold() for word in asked)
        ]


def report_lines(document: Document, texts: Texts) -> list[str]:
    """Say how a document was read: what was counted, left out, hidden, or went wrong."""
    told = document.report
    counted = {
        texts.say_number(
            "{number} page was read", "{number} pages were read", told.pages_read
        ): told.pages_read,
        texts.say_number(
            "{number} page was a picture and was recognised",
            "{number} pages were pictures and were recognised",
            told.pages_ocr,
        ): told.pages_ocr,
        texts.say_number("{number} table", "{number} tables", told.tables): told.tables,
        texts.say_number("{number} form", "{number} forms", told.forms): told.forms,
        texts.say_number(
            "{number} picture could not be read",
            "{number} pictures could not be read",
            told.pictures_unread,
        ): told.pictures_unread,
    }
    lines = [words for words, count in counted.items() if count]
    hidden, removed = told.hidden, told.removed_lines
    lines += [texts.say("Hidden where it was made: {what}", what=what) for what in hidden]
    lines += [texts.say("Left out as header or footer: {what}", what=what) for what in removed]
    return [*lines, *dict.fromkeys((*document.notes, *told.warnings))]


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
    if not document.collection.startswith(_THREAD):
        return "", texts.say("Brought by a program")
    thread = document.collection.removeprefix(_THREAD)
    if thread not in chats:
        return "", texts.say("In a chat without a message yet")
    return f"/thread/{thread}", chats[thread] or texts.say("A chat")
