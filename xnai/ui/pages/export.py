"""``/conversations/{id}``: a conversation as a file, for whom it belongs to."""

from urllib.parse import quote

from chainlit.data import get_data_layer
from starlette.requests import Request
from starlette.responses import Response

from xnai.api.auth import Authority
from xnai.errors import BAD_REQUEST, NOT_FOUND, XnaiError
from xnai.observability.error_reports import report
from xnai.ui.exported import as_json, as_markdown, messages_of
from xnai.ui.pages.rendering import problem_page
from xnai.ui.reading_language import texts_for

PATH = "/conversations"
_LONGEST_NAME = 80  # characters of a file's name
_TYPES = {"md": "text/markdown; charset=utf-8", "json": "application/json"}


class ConversationExport:
    """Hands out conversations; what is somebody else's is not there."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def get(self, request: Request) -> Response:
        """Return a conversation as the file that ``as`` asks for: ``md`` or ``json``."""
        texts = texts_for(request.headers)
        try:
            self._authority.reader(request)  # whoever that is acts from here on
            return await _file(request.path_params["id"], request.query_params.get("as", "md"))
        except Exception as exc:  # noqa: BLE001 - whatever it is, a page says so
            error = report(exc)
            said = " ".join(error.in_words_of(texts.translation)).strip()
            title = texts.say("The conversation cannot be exported")
            return problem_page(error.kind.status, title, said, texts, reference=error.code)


async def _file(thread_id: str, kind: str) -> Response:
    if kind not in _TYPES:
        problem = f"as={kind[:20]} is no form of a conversation."
        raise XnaiError(BAD_REQUEST, problem=problem, fix="Ask for as=md or as=json.")
    history = get_data_layer()
    is_seen = history is not None and await history.get_thread_author(thread_id)
    thread = await history.get_thread(thread_id) if history and is_seen else None
    if not thread:
        raise XnaiError(NOT_FOUND, what="conversation", name=thread_id[:100])
    name = str(thread.get("name") or "XNAi")
    messages = messages_of(thread.get("steps") or [])
    made = str(thread.get("createdAt") or "")
    body = as_json(name, made, messages) if kind == "json" else as_markdown(name, messages)
    stem = "".join(one for one in name if one.isalnum() or one in " -_").strip()[:_LONGEST_NAME]
    file_name = quote(f"{stem or 'XNAi'}.{kind}")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{file_name}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(body, media_type=_TYPES[kind], headers=headers)
