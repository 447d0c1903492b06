"""One model endpoint: an OpenAI-compatible server reached over HTTP."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack

import httpx
import structlog

from xnai.aio import cancel_and_wait
from xnai.errors import (
    QUESTION_TOO_LONG,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_REFUSED,
    XnaiError,
)
from xnai.llm.deadline import AnswerDeadline
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    EndpointStatus,
    Finished,
    Queued,
    TokenText,
)
from xnai.llm.remote.answer_reader import AnswerReader, garbled
from xnai.llm.remote.discovery import EndpointInfo, ask
from xnai.llm.remote.errors import printable, unknown_model
from xnai.llm.remote.health import EndpointReach
from xnai.llm.remote.http import EndpointHttp, raw_chunks
from xnai.llm.remote.queue import WaitingLine
from xnai.llm.remote.timeouts import AnswerClock, Closing
from xnai.llm.remote.token_count import TokenCounter, estimate_prompt, estimate_tokens
from xnai.llm.remote.wire import request_body
from xnai.settings import Settings
from xnai.types import Message, Usage

_PROBE_SECONDS = 10.0
_STREAM = re.compile(r"text/event-stream\b", re.IGNORECASE)

_log = structlog.get_logger(__name__)


class Endpoint:
    """One server of ``XNAI_LLM_URL``; ``name`` is its host and port, fit to be shown."""

    def __init__(self, url: str, settings: Settings, closing: Closing) -> None:
        self._settings = settings
        self._closing = closing
        key = settings.llm_api_key.get_secret_value()
        self._http = EndpointHttp(url, key, settings.llm_connect_timeout)
        self._counter = TokenCounter(self._http)
        self._checking: asyncio.Task[XnaiError | None] | None = None
        self._extensions = True
        self._line = WaitingLine()
        self._refused_contexts: dict[str, int] = {}  # limits learned from refusals
        self.name = self._http.endpoint
        self.reach = EndpointReach(self.name)
        self.info = EndpointInfo()
        self.in_flight = 0
        self.waiting = 0  # of these have no text yet

    def context(self, model: str) -> int:
        """Tokens of prompt and answer together."""
        if self._settings.llm_context:
            return self._settings.llm_context
        told = self.info.context(model)
        return min(told, self._refused_contexts.get(model, told))

    def status(self, model: str) -> EndpointStatus:
        """How it is doing, for a model that is asked of it."""
        reach = self.reach
        return EndpointStatus(
            endpoint=self.name,
            state=reach.state,
            since=reach.since,
            detail=reach.error.message if reach.error else "",
            retry_in=reach.retry_in or None,
            error_code=reach.error.code if reach.error else "",
            model=printable(model or self.info.default),
            in_flight=self.in_flight,
            last_error=reach.last_error,
            last_error_at=reach.last_error_at,
        )

    async def close(self) -> None:
        """End the probe and every connection."""
        await cancel_and_wait(self._checking)
        await self._http.close()

    @property
    def _one_at_a_time(self) -> bool:
        """Whether any further request would cut the answer under way off.

        llama_cpp.server does that unless it is started with ``--interrupt_requests False``.
        """
        return self.info.kind == "llama_cpp.server"

    def look(self) -> "asyncio.Task[XnaiError | None] | None":
        """Begin to ask the endpoint what it is, or join in: callers share one such task.

        None if that would cut off an answer.
        """
        if self._one_at_a_time and self.in_flight:
            return None
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check(), name=f"probe {self.name}")
        return self._checking

    async def check(self) -> None:
        """Ask the endpoint what it is."""
        if looking := self.look():
            await asyncio.shield(looking)

    async def _check(self) -> XnaiError | None:
        """What is wrong with it, if anything."""
        patient = self.reach.state == "unknown" or self._one_at_a_time  # busy is not dead
        seconds = self._settings.llm_first_token_timeout if patient else _PROBE_SECONDS
        try:
            info = await ask(self._http, seconds=seconds, model=self._settings.llm_model)
            if not info.has(self._settings.llm_model):
                raise unknown_model(self.name, self._settings.llm_model, info.names)
        except XnaiError as exc:
            if not self.waiting < self.in_flight:  # it is sending text right now
                self.reach.probed(exc)
            return exc
        self.info = info
        self.reach.probed(None)
        return None

    async def count_tokens(self, texts: Sequence[str], model: str) -> list[int]:
        """Tokens of each text, without the template's own."""
        if self._one_at_a_time and self.in_flight:
            return [estimate_tokens(text) for text in texts]
        return await self._counter.texts(texts, self.info.kind, model or self.info.default)

    async def count_prompt(self, messages: Sequence[Message], model: str) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        if self._one_at_a_time and self.in_flight:
            return estimate_prompt([estimate_tokens(message.content) for message in messages])
        return await self._counter.prompt(messages, self.info.kind, model or self.info.default)

    async def complete(
        self, completion: Completion, model: str
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer; closing the generator closes the connection.

        Raises:
            XnaiError: any of errors.REMOTE_*, MODEL_DOWN, QUESTION_TOO_LONG, ANSWER_TIMEOUT,
                SHUTTING_DOWN.

        """
        settings = self._settings
        clock = AnswerClock(
            self.name,
            AnswerDeadline(completion.deadline, completion.allowed),
            settings.llm_first_token_timeout,
            settings.llm_token_timeout,
            self._closing,
        )
        waits = True
        self.in_flight += 1
        self.waiting += 1
        try:
            async with AsyncExitStack() as stack:
                if self._one_at_a_time:
                    place = stack.enter_context(self._line.join())
                    while position := place.position:
                        yield Queued(position)
                        while place.position == position:
                            await clock.in_line(place.move())
                response = await clock.limit(self._open(stack, completion, model))
                chunks = await stack.enter_async_context(raw_chunks(response))
                reader = AnswerReader(self.name, chunks, completion, clock, self._closing)
                while True:
                    event = await reader.next() or await self._finished(reader, completion, model)
                    if waits and isinstance(event, TokenText | Finished):
                        waits = False
                        self.waiting -= 1
                        self.reach.answered()
                    yield event
                    if isinstance(event, Finished):
                        break
        except XnaiError as exc:
            self.reach.failed(exc)
            raise self._explained(exc, completion, model) from exc
        finally:
            self.in_flight -= 1
            self.waiting -= waits

    async def _open(
        self, stack: AsyncExitStack, completion: Completion, model: str
    ) -> httpx.Response:
        """The answer's headers; a server that refuses unknown fields is asked without them."""
        with_extensions = self._extensions
        try:
            return await self._send(stack, completion, model, extensions=with_extensions)
        except XnaiError as exc:
            refused = exc.kind is REMOTE_REFUSED and exc.values["status"] in {400, 422}
            if not refused or not with_extensions:
                raise
        response = await self._send(stack, completion, model, extensions=False)
        self._extensions = False
        _log.info("model_endpoint_plain", endpoint=self.name)
        return response

    async def _send(
        self, stack: AsyncExitStack, completion: Completion, model: str, *, extensions: bool
    ) -> httpx.Response:
        # Another XNAi is asked for "default": a name would switch its model for everybody.
        named = model or ("default" if self.info.kind == "xnai" else self.info.default)
        body = request_body(completion, named, self.info.kind, extensions=extensions)
        response = await stack.enter_async_context(
            self._http.stream(
                "POST",
                "/v1/chat/completions",
                body,
                model=named,
                traceparent=completion.traceparent,
            )
        )
        if not _STREAM.match(response.headers.get("content-type", "")):
            raise garbled(self.name, "its answer is no event stream")
        return response

    async def _finished(self, reader: AnswerReader, completion: Completion, model: str) -> Finished:
        """The end of an answer, counted where the endpoint has not."""
        answer = reader.answer
        assert answer.finish is not None
        if answer.usage is not None:
            return Finished(answer.finish, answer.usage)
        kind, named = self.info.kind, model or self.info.default
        prompt = await self._counter.prompt(completion.messages, kind, named)
        text = await self._counter.texts(["".join(answer.texts)], kind, named)
        return Finished(answer.finish, Usage(prompt, text[0]))

    def _explained(self, error: XnaiError, completion: Completion, model: str) -> XnaiError:
        """Put in what the endpoint left out."""
        if error.kind is REMOTE_MODEL_UNKNOWN:
            return unknown_model(self.name, model or self.info.default, self.info.names)
        if error.kind is not QUESTION_TOO_LONG:
            return error
        limit = int(str(error.values["limit"]))
        if limit:
            self._refused_contexts[model] = limit
        answer = completion.sampling.max_tokens
        room = max(1, (limit or self.context(model)) - answer)
        return XnaiError(
            QUESTION_TOO_LONG, tokens=error.values["tokens"] or f"more than {room}", limit=room
        )
