"""``POST /v1/chat/completions``."""

import math
import time

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from xnai.accounts import SERVER, Principal, may
from xnai.answering.events import (
    Calculated,
    Degraded,
    Done,
    Event,
    Loading,
    Parts,
    Prompted,
    Question,
    Reading,
    Reduced,
    Retrieved,
    Token,
    Waiting,
)
from xnai.answering.streams import Stream
from xnai.answering.summary import Account
from xnai.api.auth import Authority
from xnai.api.chat_request import ChatRequest, read_chat_request
from xnai.api.chat_response import SSE_DONE, CompletionWriter, comment, sse
from xnai.api.errors import REQUEST_ID, require_accepting
from xnai.api.live_answer import LiveAnswer
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import scope_of
from xnai.errors import FORBIDDEN, XnaiError
from xnai.locale import preferred
from xnai.observability import metrics
from xnai.observability.error_reports import error_body, report
from xnai.types import TokenLogprob

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 15.0
# A response that has begun can no longer carry a status of its own, so it begins only when the
# model is at work, or when a client has waited this long for a sign of life.
COMMIT_SECONDS = 5.0
_UNCOMMITTED = (Loading, Retrieved, Calculated, Prompted, Reduced, Degraded)
_UNAVAILABLE = 503
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class ChatCompletions:
    """The endpoint as an ASGI application, since it must notice a client that goes away."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            XnaiError: anything that goes wrong before the response has begun.

        """
        request = Request(scope, receive)
        caller = self._authority.caller(request)
        wire = read_chat_request(await request.body())
        try:
            require_accepting(self._runtime)
            await self._choose_model(caller, wire.model)
            writer = CompletionWriter(self._runtime.model.status.name)
            question = await self._question(wire, caller, request)
        except BaseException as exc:
            refused = Stream(
                "api", owner=caller.person_id, message="", account=Account(wire.question)
            )
            self._runtime.streams.note_refused(refused, exc)
            raise
        events = self._runtime.pipeline.answer(question)
        try:
            async with LiveAnswer(self._runtime.streams, question, events, receive) as answer:
                if wire.stream:
                    stream = _Stream(answer, writer, send, scope[REQUEST_ID])
                    await stream.run(wants_usage=wire.wants_usage)
                else:
                    body = await _collect(answer, writer)
                    response = JSONResponse(body, headers={"Cache-Control": "no-store"})
                    await response(scope, receive, send)
        except ClientDisconnect:
            log.info("client gone, answer cancelled", completion=writer.id)
        except XnaiError as exc:
            raise self._with_wait(exc) from exc

    async def _choose_model(self, caller: Principal, name: str | None) -> None:
        model = self._runtime.model
        if not name or name in {"default", model.status.name}:
            return
        if not may(caller, "operate", SERVER):  # everybody's answers wait while it is switched
            raise XnaiError(FORBIDDEN)
        await model.use(name)
        self._runtime.audit.record("model", who=caller.person_id, name=name)

    async def _question(self, wire: ChatRequest, caller: Principal, request: Request) -> Question:
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

    def _with_wait(self, error: XnaiError) -> XnaiError:
        """Add what the model knows about its return."""
        if error.kind.status != _UNAVAILABLE or error.retry_after is not None:
            return error
        status = self._runtime.model.status
        wait = status.eta_seconds if status.retry_in is None else status.retry_in
        return XnaiError(error.kind, retry_after=wait, **error.values)


def _queued(event: Waiting) -> str:
    eta = "" if event.eta_seconds is None else f" eta {math.ceil(event.eta_seconds)}"
    return f"queued {event.position}{eta}"


def _refuse_degraded(event: Event) -> None:
    """Refuse passages alone, which a program would take for the generated answer it asked for."""
    if isinstance(event, Degraded):
        reason = event.reason
        wait = reason.retry_after if event.retry_in is None else event.retry_in
        raise XnaiError(reason.kind, retry_after=wait, **reason.values)
    if isinstance(event, Reduced) and event.rung == "no_documents":
        raise event.reason  # an answer without the documents would pass for one from them


def _record_reduced(event: Reduced, writer: CompletionWriter) -> None:
    metrics.error(event.reason.code)
    writer.add_reduction(event)


async def _collect(answer: LiveAnswer, writer: CompletionWriter) -> dict[str, object]:
    texts: list[str] = []
    logprobs: list[TokenLogprob] = []
    while True:
        event = await answer.next(KEEP_ALIVE_SECONDS)
        if event is None:
            continue
        _refuse_degraded(event)
        if isinstance(event, Token):
            texts.append(event.text)
            logprobs += event.logprobs
        elif isinstance(event, Reduced):
            _record_reduced(event, writer)
        elif isinstance(event, Prompted):
            writer.dropped = event.dropped
        elif isinstance(event, Done):
            return writer.completion(texts, event, logprobs)


class _Stream:
    """Writes an answer as server-sent events."""

    def __init__(
        self, answer: LiveAnswer, writer: CompletionWriter, send: Send, request_id: str
    ) -> None:
        self._answer = answer
        self._writer = writer
        self._send_message = send
        self._request_id = request_id

    async def run(self, *, wants_usage: bool) -> None:
        """Write the whole answer; an error before the first byte is raised."""
        held = await self._until_committed()
        await self._send_message(
            {"type": "http.response.start", "status": 200, "headers": list(_STREAM_HEADERS)}
        )
        try:
            await self._send(self._writer.role_chunk())
            done = await self._write(held)
            await self._send(self._writer.final_chunk(done))
            if wants_usage:
                await self._send(self._writer.usage_chunk(done))
        except ClientDisconnect:
            raise
        except Exception as exc:  # noqa: BLE001 - the status is sent: the stream has to say it
            await self._send(sse(error_body(report(exc), self._request_id)))
        await self._send(SSE_DONE)
        await self._send_message({"type": "http.response.body", "body": b""})

    async def _until_committed(self) -> list[Event]:
        """Return the events until the model is at work, or until a time limit."""
        held: list[Event] = []
        deadline = time.monotonic() + COMMIT_SECONDS
        while (patience := deadline - time.monotonic()) > 0:
            event = await self._answer.next(patience)
            if event is None:
                break
            _refuse_degraded(event)
            held.append(event)
            if not isinstance(event, _UNCOMMITTED):
                break
        return held

    async def _write(self, held: list[Event]) -> Done:
        for event in held:
            await self._write_event(event)
            if isinstance(event, Done):
                return event
        while True:
            following = await self._answer.next(KEEP_ALIVE_SECONDS)
            if following is None:
                await self._send(comment("waiting"))
                continue
            await self._write_event(following)
            if isinstance(following, Done):
                return following

    async def _write_event(self, event: Event) -> None:
        _refuse_degraded(event)
        match event:
            case Token():
                await self._send(self._writer.text_chunk(event.text, event.logprobs))
            case Waiting():
                await self._send(comment(_queued(event)))
            case Reading():
                await self._send(comment(f"reading {event.done}/{event.total}"))
            case Parts():
                await self._send(comment(f"parts {event.done}/{event.total}"))
            case Loading():
                await self._send(comment("loading"))
            case Reduced():
                _record_reduced(event, self._writer)
                await self._send(comment(f"reduced {event.rung}"))
            case Retrieved():
                await self._send(comment(f"retrieved {len(event.passages)}"))
            case Calculated():
                await self._send(comment("calculated"))
            case Prompted():
                self._writer.dropped = event.dropped

    async def _send(self, body: bytes) -> None:
        await self._send_message({"type": "http.response.body", "body": body, "more_body": True})
