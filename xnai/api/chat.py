"""``POST /v1/chat/completions``."""

from starlette.requests import Request

from xnai.accounts import Principal
from xnai.answering.events import Done, Event, Prompted, Question, Reduced, Token
from xnai.api.answer_endpoint import AnswerEndpoint
from xnai.api.answers import WholeAnswer
from xnai.api.chat_request import ChatRequest, read_chat_request
from xnai.api.chat_response import SSE_DONE, CompletionWriter, sse
from xnai.api.errors import REQUEST_ID
from xnai.api.scope import scope_of
from xnai.errors import XnaiError
from xnai.locale import preferred
from xnai.observability.error_reports import error_body


class ChatCompletions(AnswerEndpoint[ChatRequest]):
    """The endpoint."""

    def read(self, body: bytes) -> ChatRequest:
        """Parse and check a request."""
        return read_chat_request(body)

    async def asked(self, wire: ChatRequest, caller: Principal, request: Request) -> Question:
        """Return the last message as a question with what came before it."""
        settings = self._runtime.settings
        retrieval = wire.retrieval
        wanted = retrieval.passages if retrieval else None
        return Question(
            text=wire.question,
            request_id=request.scope[REQUEST_ID],
            user=caller.person_id,
            history=wire.history,
            scope=await scope_of(self._runtime, caller, retrieval),
            passages=wanted or settings.passages,
            sampling=wire.sampling(settings),
            system=wire.system,
            timeout=settings.answer_timeout,
            reader=preferred(request.headers.get("accept-language", "")),
        )

    def form(self, wire: ChatRequest, model: str) -> "ChatForm":
        """Return the form of a chat completion."""
        return ChatForm(CompletionWriter(model), wants_usage=wire.wants_usage)


class ChatForm:
    """A chat completion, or its chunks."""

    def __init__(self, writer: CompletionWriter, *, wants_usage: bool) -> None:
        self.id = writer.id
        self._writer = writer
        self._wants_usage = wants_usage

    def whole(self, whole: WholeAnswer) -> dict[str, object]:
        """Return the answer at once."""
        for event in whole.reduced:
            self._writer.add_reduction(event)
        self._writer.dropped = whole.dropped
        return self._writer.completion(whole.texts, whole.done, whole.logprobs)

    def begin(self) -> bytes:
        """Return the first chunk."""
        return self._writer.role_chunk()

    def heard(self, event: Event) -> bytes:
        """Return the chunk of a text; what else there is goes into the last one."""
        match event:
            case Token():
                return self._writer.text_chunk(event.text, event.logprobs)
            case Reduced():
                self._writer.add_reduction(event)
            case Prompted():
                self._writer.dropped = event.dropped
        return b""

    def done(self, done: Done) -> bytes:
        """Return the last chunks."""
        usage = self._writer.usage_chunk(done) if self._wants_usage else b""
        return self._writer.final_chunk(done) + usage

    def failed(self, error: XnaiError, request_id: str) -> bytes:
        """Return an error in the place of the last chunk."""
        return sse(error_body(error, request_id))

    def end(self) -> bytes:
        """Return what every stream ends with."""
        return SSE_DONE
