"""``POST /v1/responses``: OpenAI's newer form of an answer, with the tool that searches stores."""

from starlette.requests import Request

from xnai.accounts import Principal
from xnai.answering.events import Question
from xnai.api.answer_endpoint import AnswerEndpoint
from xnai.api.errors import REQUEST_ID, require_search
from xnai.api.responses_request import ResponsesRequest, read_responses_request
from xnai.api.responses_writer import ResponseForm
from xnai.api.scope import allowed, require_processed, within_stores
from xnai.locale import preferred
from xnai.types import Scope

_PASSAGES_MAX = 20  # that an answer is made from


class Responses(AnswerEndpoint[ResponsesRequest]):
    """The endpoint; nothing is kept of what it has answered."""

    def read(self, body: bytes) -> ResponsesRequest:
        """Parse and check a request."""
        return read_responses_request(body)

    async def asked(self, wire: ResponsesRequest, caller: Principal, request: Request) -> Question:
        """Return the last message as a question, over the stores and files that are named."""
        settings, chat = self._runtime.settings, wire.chat
        wanted = wire.search.max_num_results if wire.search is not None else None
        return Question(
            text=chat.question,
            request_id=request.scope[REQUEST_ID],
            user=caller.person_id,
            history=chat.history,
            scope=await self._scope(wire, caller),
            passages=min(wanted or settings.passages, _PASSAGES_MAX),
            sampling=chat.sampling(settings),
            system=chat.system,
            timeout=settings.answer_timeout,
            reader=preferred(request.headers.get("accept-language", "")),
        )

    def form(self, wire: ResponsesRequest, model: str) -> ResponseForm:
        """Return the form of a response."""
        return ResponseForm(wire, model)

    async def _scope(self, wire: ResponsesRequest, caller: Principal) -> Scope | None:
        """Return what is searched; None: a plain chat."""
        if wire.search is None and not wire.files:
            return None
        require_search(self._runtime)
        for file_id in wire.files:
            require_processed(await allowed(self._runtime, caller, "see", file_id))
        if wire.search is None:
            return Scope(caller.person_id, wire.files)
        tool = wire.search
        stores = await within_stores(self._runtime, caller, tool.vector_store_ids, tool.filters)
        ids = (*(stores.document_ids or ()), *wire.files)
        named = stores.document_ids is not None or wire.files
        return Scope(caller.person_id, ids if named else None, libraries=stores.libraries)
