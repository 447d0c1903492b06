"""Libraries on the page of documents: what is shown of them, and what its buttons do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xnai.accounts import Principal, may
from xnai.api.auth import Authority
from xnai.api.errors import require_search
from xnai.api.protocol import ApiRuntime
from xnai.locale import Texts
from xnai.observability.error_reports import report
from xnai.retrieval.libraries import HOME, NamedLibrary
from xnai.types import Document
from xnai.ui.library_choice import library_name
from xnai.ui.pages.rendering import catalogued_problem
from xnai.ui.reading_language import texts_for

SHOWN = 50  # that can be opened and put into at once, of a person who has very many


@dataclass(frozen=True, slots=True)
class ShelfEntry:
    """A library as the page shows it."""

    id: str
    name: str
    count: int
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Placing:
    """The libraries that a document stands in, and those that it may be put into: ids and names."""

    there: tuple[tuple[str, str], ...] = ()
    further: tuple[tuple[str, str], ...] = ()


class Shelf:
    """The libraries of one person, as they are shown.

    Args:
        person: who looks.
        libraries: that may be seen, the person's own first.
        standing: the ids of the libraries that each shown document stands in.
        texts: in whose language.

    """

    def __init__(
        self,
        person: Principal,
        libraries: Sequence[NamedLibrary],
        standing: Mapping[str, tuple[str, ...]],
        texts: Texts,
    ) -> None:
        self._person = person
        self._libraries = sorted(libraries, key=lambda one: (not one.is_own, -one.used_at))
        self._named = {one.id: (one.id, library_name(one, texts)) for one in libraries}
        self._open_to = [one.id for one in self._libraries if may(person, "add", one)]
        self._standing = standing

    def entries(self, open_id: str) -> list[ShelfEntry]:
        """Return those that are used most, and the one that is open."""
        shown = self._libraries[:SHOWN]
        shown += [one for one in self._libraries[SHOWN:] if one.id == open_id]
        return [ShelfEntry(*self._named[one.id], one.count, one.id == open_id) for one in shown]

    def taking(self, open_id: str) -> tuple[str, str] | None:
        """Return id and name of the library into which files are added: the open or their own."""
        own = next((one.id for one in self._libraries if one.is_own), "")
        wanted = open_id or own
        return self._named[wanted] if wanted in self._open_to else None

    def targets(self, open_id: str) -> list[tuple[str, str]]:
        """Return the libraries that documents can be put into, ids and names."""
        return [self._named[one] for one in self._open_to if one != open_id][:SHOWN]

    def placing(self, document: Document) -> Placing:
        """Return where a document stands, and where else its owner may put it."""
        there = self._standing.get(document.id, ())
        is_theirs = may(self._person, "change", document)
        further = [one for one in self._open_to if is_theirs and one not in there]
        return Placing(
            tuple(
                self._named[one.id]
                for one in self._libraries
                # What belongs to a library alone is deleted, not taken out.
                if one.id in there
                and document.collection != HOME + one.id
                and may(self._person, "change", one)
            ),
            tuple(self._named[one] for one in further[:SHOWN]),
        )


class LibraryActions:
    """What the buttons of the page do with libraries."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    async def create(self, request: Request) -> Response:
        """Make a library; its name is the body of the request."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            name = (await request.body()).decode("utf-8", "replace")
            made = await self._runtime.libraries.create(person, name)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("No library was made"), texts)
        return JSONResponse({"id": made.id})

    async def delete(self, request: Request) -> Response:
        """Delete a library of the person, with what is nowhere else."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            library_id = request.path_params["id"]
            await self._runtime.libraries.delete(person, library_id, keeps_all=False)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not deleted"), texts)
        return Response(status_code=204)

    async def put(self, request: Request) -> Response:
        """Have a document of the person stand in a library, or stand there no more."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            library_id, document_id = request.path_params["id"], request.path_params["document"]
            if request.method == "PUT":
                await self._runtime.libraries.keep(person, library_id, document_id)
            else:
                await self._runtime.libraries.take_out(person, library_id, document_id)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not moved"), texts)
        return Response(status_code=204)
