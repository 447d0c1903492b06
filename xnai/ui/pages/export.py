"""``/conversations/{id}``: a conversation as a file, for whom it belongs to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from chainlit.data import get_data_layer
from starlette.requests import Request
from starlette.responses import Response

from xnai.api.auth import Authority
from xnai.documents.text_work import TextWork
from xnai.errors import BAD_REQUEST, NOT_FOUND, XnaiError
from xnai.locale import Texts
from xnai.observability.error_reports import report
from xnai.ui.exported import as_json, as_markdown, messages_of
from xnai.ui.pages.rendering import problem_page
from xnai.ui.reading_language import texts_for

PATH = "/conversations"
_LONGEST_NAME = 80  # characters of a file's name
_TYPES = {"md": "text/markdown; charset=utf-8", "json": "application/json"}


class ConversationExport:
    """Hands out conversations; what is somebody else's is not there.

    A long one is millions of characters, which are gone through in a thread.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._text_work = TextWork()

    async def get(self, request: Request) -> Response:
        """Return a conversation as the file that ``as`` asks for: ``md`` or ``json``."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)  # whoever that is acts from here on
            kind = request.query_params.get("as", "md")
            _require_known(kind)
            async with self._text_work.turn(person.person_id):
                thread = await _thread(request.path_params["id"])
                return await self._text_work.run(_file, thread, kind, texts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, a page says so
            error = report(exc)
            said = " ".join(error.in_words_of(texts.translation)).strip()
            title = texts.say("The conversation cannot be exported")
            return problem_page(error.kind.status, title, said, texts, reference=error.code)


def _require_known(kind: str) -> None:
    if kind not in _TYPES:
        problem = f"as={kind[:20]} is no form of a conversation."
        raise XnaiError(BAD_REQUEST, problem=problem, fix="Ask for as=md or as=json.")


async def _thread(thread_id: str) -> Mapping[str, Any]:
    history = get_data_layer()
    is_seen = history is not None and await history.get_thread_author(thread_id)
    thread = await history.get_thread(thread_id) if history and is_seen else None
    if not thread:
        raise XnaiError(NOT_FOUND, what="conversation", name=thread_id[:100])
    found: Mapping[str, Any] = thread
    return found


def _written(name: str, thread: Mapping[str, Any], kind: str, texts: Texts) -> str:
    """Write a conversation down; says so if it is too long for all of it."""
    messages = messages_of(thread.get("steps") or [])
    is_whole = not thread.get("shortened")
    if kind == "json":
        return as_json(name, str(thread.get("createdAt") or ""), messages, is_whole=is_whole)
    note = texts.say("The beginning of this long conversation is kept, but not shown.")
    return as_markdown(name, messages, "" if is_whole else note)


def _file(thread: Mapping[str, Any], kind: str, texts: Texts) -> Response:
    name = str(thread.get("name") or "XNAi")
    stem = "".join(one for one in name if one.isalnum() or one in " -_").strip()[:_LONGEST_NAME]
    file_name = quote(f"{stem or 'XNAi'}.{kind}")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{file_name}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    body = _written(name, thread, kind, texts)
    return Response(body, media_type=_TYPES[kind], headers=headers)
