"""``/conversations/pinned`` and ``/conversations/{id}/pin``: chats that stand above the others."""

from collections.abc import Awaitable, Callable
from typing import Any

from chainlit.data import get_data_layer
from chainlit.types import Pagination, ThreadFilter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xnai.accounts import Principal
from xnai.api.auth import Authority
from xnai.errors import NOT_FOUND, XnaiError
from xnai.observability.error_reports import report
from xnai.ui.history.rows import PINNED
from xnai.ui.pages.rendering import catalogued_problem
from xnai.ui.reading_language import texts_for

MOST = 50  # chats that are shown as pinned, the one spoken in last first


class PinnedThreads(ThreadFilter):  # type: ignore[misc]  # Chainlit's is not typed
    """Asks for the pinned chats of a person."""

    pinned: bool = True


class Pins:
    """Pins chats and tells which are; what is somebody else's is not there."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def list(self, request: Request) -> Response:
        """Return the pinned chats as ``[{"id", "name"}]``."""
        return await self._answer(request, _pinned)

    async def pin(self, request: Request) -> Response:
        """Pin a chat, or with DELETE let it go."""
        is_pinned, thread_id = request.method == "PUT", request.path_params["id"]

        async def change(layer: Any, _: Principal) -> Response:
            if not await layer.get_thread_author(thread_id):
                raise XnaiError(NOT_FOUND, what="conversation", name=thread_id[:100])
            await layer.update_thread(thread_id, tags=[PINNED] if is_pinned else [])
            return Response(status_code=204)

        return await self._answer(request, change)

    async def _answer(
        self, request: Request, work: Callable[[Any, Principal], Awaitable[Response]]
    ) -> Response:
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)  # whoever that is acts from here on
            return await work(get_data_layer(), person)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not pinned"), texts)


async def _pinned(layer: Any, person: Principal) -> Response:
    user = await layer.get_user(person.person_id)
    rows = []
    if user is not None:
        query = PinnedThreads(userId=user.id)
        rows = (await layer.list_threads(Pagination(first=MOST), query)).data
    told = [{"id": row["id"], "name": row["name"] or ""} for row in rows]
    return JSONResponse(told, headers={"Cache-Control": "private, no-store"})
