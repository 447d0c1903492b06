"""What the page of documents does with many of them at once."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xnai.accounts import Principal
from xnai.api.auth import Authority
from xnai.api.errors import require_search
from xnai.api.fields import refuse
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.documents.shelving import document_ids_of
from xnai.observability.error_reports import report
from xnai.ui.chosen import ChosenDocuments, NextChat
from xnai.ui.pages.rendering import catalogued_problem
from xnai.ui.reading_language import texts_for

PATH = "/documents/bulk"
_LONGEST = 2000  # characters of a folder or tag that is typed


class BulkActions:
    """What the buttons for all chosen documents do.

    Args:
        runtime: has the documents.
        authority: says for whom.
        read_again: has a document read once more.
        chosen: keeps what the next new chat is to be asked about.

    """

    def __init__(
        self,
        runtime: ApiRuntime,
        authority: Authority,
        read_again: Callable[[str], None],
        chosen: ChosenDocuments,
    ) -> None:
        self._runtime = runtime
        self._authority = authority
        self._read_again = read_again
        self._chosen = chosen

    async def serve(self, request: Request) -> Response:
        """Do with some documents what the body says."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            body = _body(await request.body())
            if body.get("do") == "ask":
                await self._ask(person, body)
                return JSONResponse({"go": "/"})
            count = await self._do(person, body)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not done"), texts)
        words = texts.say_number(
            "Done for {number} document.", "Done for {number} documents.", count
        )
        return JSONResponse({"told": words})

    async def _ask(self, person: Principal, body: dict[str, Any]) -> None:
        """Have the next new chat of the person ask documents, or a library as a whole."""
        library_id = _text(body, "library")
        if not body.get("ids"):
            found = await self._runtime.libraries.get(person, library_id)
            self._chosen.wish(person.person_id, NextChat(library_id=found.id))
            return
        ids = document_ids_of(body["ids"])
        for one in ids:
            await allowed(self._runtime, person, "see", one)
        self._chosen.wish(person.person_id, NextChat(tuple(ids)))

    async def _do(self, person: Principal, body: dict[str, Any]) -> int:
        shelving, ids = self._runtime.shelving, document_ids_of(body.get("ids"))
        within, value = _text(body, "library"), _text(body, "value")
        what = str(body.get("do"))
        match what:
            case "folder":
                return await shelving.put_into_folder(person, within, ids, value)
            case "tag" | "untag" if value.strip():
                tags = ([value], []) if what == "tag" else ([], [value])
                return await shelving.tag(person, within, ids, *tags)
            case "move" if value:
                return await shelving.move(person, ids, value, within)
            case "delete":
                return await shelving.delete(person, ids)
            case "again":
                return await shelving.read_again(person, ids, self._read_again)
        raise refuse("Nothing was chosen that could be done.", "Type a word, or choose a library.")


def _body(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise refuse("The body is not a JSON object.", "Send an object.")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    return value[:_LONGEST] if isinstance(value, str) else ""
