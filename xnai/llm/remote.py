"""One model endpoint: an OpenAI-compatible server reached over HTTP."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing

import httpx
import structlog

from xnai.errors import (
    QUESTION_TOO_LONG,
    REMOTE_BROKE_OFF,
    REMOTE_GARBLED,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_REFUSED,
    XnaiError,
)
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    Finished,
    Queued,
    TokenText,
)
from xnai.llm.remote_answer import Answer, longest_answer
from xnai.llm.remote_clock import AnswerClock, Closing
from xnai.llm.remote_errors import unknown_model
from xnai.llm.remote_estimate import estimate_prompt, estimate_tokens
from xnai.llm.remote_health import EndpointHealth
from xnai.llm.remote_http import EndpointHttp
from xnai.llm.remote_info import EndpointInfo, ask
from xnai.llm.remote_line import Line
from xnai.llm.remote_sse import Comment, Event, SseError, SseParser
from xnai.llm.remote_tokens import TokenCounter
from xnai.llm.remote_wire import GarbledError, read_comment, request_body
from xnai.settings import Settings
from xnai.types import Message, Usage

_PROBE_SECONDS = 10.0
_REST_SECONDS = 1.0  # for what comes after an answer's end, so that the connection can be kept
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
        self._checking: asyncio.Task[None] | None = None
        self._extensions = True
        self._line = Line()
        self._refused_contexts: dict[str, int] = {}  # limits learned from refusals
        self.name = self._http.endpoint
        self.health = EndpointHealth(self.name)
        self.info = EndpointInfo()
        self.in_flight = 0
        self.waiting = 0  # of these have no text yet

    def context(self, model: str) -> int:
        """Tokens of prompt and answer together."""
        if self._settings.llm_context:
            return self._settings.llm_context
        told = self.info.context(model)
        return min(told, self._refused_contexts.get(model, told))

    async def close(self) -> None:
        """End the probe and every connection."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        await self._http.close()

    @property
    def _one_at_a_time(self) -> bool:
        """Whether any further request would cut the answer under way off.

        llama_cpp.server does that unless it is started with ``--interrupt_requests False``.
        """
        return self.info.kind == "llama_cpp.server"

    async def check(self) -> None:
        """Ask the endpoint what it is; callers at the same time share one probe."""
        if self._one_at_a_time and self.in_flight:
            return
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check(), name=f"probe {self.name}")
        await asyncio.shield(self._checking)

    async def _check(self) -> None:
        patient = self.health.state == "unknown" or self._one_at_a_time  # busy is not dead
        seconds = self._settings.llm_first_token_timeout if patient else _PROBE_SECONDS
        try:
            info = await ask(self._http, seconds=seconds, model=self._settings.llm_model)
            if not info.has(self._settings.llm_model):
                raise unknown_model(self.name, self._settings.llm_model, info.names)
        except XnaiError as exc:
            if not self.waiting < self.in_flight:  # it is sending text right now
                self.health.probed(exc)
            return
        self.info = info
        self.health.probed(None)

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
            completion.deadline,
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
                async with aclosing(self._read(response, completion, model, clock)) as events:
                    async for event in events:
                        if waits and isinstance(event, TokenText | Finished):
                            waits = False
                            self.waiting -= 1
                            self.health.answered()
                        yield event
        except XnaiError as exc:
            self.health.failed(exc)
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
            hung_up = exc.kind is REMOTE_BROKE_OFF  # a kept connection that was closed meanwhile
            refused = exc.kind is REMOTE_REFUSED and exc.values["status"] in {400, 422}
            if not hung_up and not (refused and with_extensions):
                raise
        response = await self._send(
            stack, completion, model, extensions=with_extensions and hung_up
        )
        if refused:
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
            raise self._garbled("its answer is no event stream")
        return response

    async def _read(
        self, response: httpx.Response, completion: Completion, model: str, clock: AnswerClock
    ) -> AsyncGenerator[CompletionEvent, None]:
        answer = Answer(self.name)
        async with aclosing(self._items(response, completion, clock, answer)) as items:
            async for item in items:
                if isinstance(item, Comment):
                    if news := read_comment(item.text):
                        clock.progress(text=False)
                        yield news
                elif piece := self._take(answer, item, clock):
                    yield piece
        if answer.finish is None:
            raise XnaiError(REMOTE_BROKE_OFF, endpoint=self.name, reason="the stream just ended")
        yield Finished(answer.finish, answer.usage or await self._count(completion, answer, model))

    async def _items(
        self,
        response: httpx.Response,
        completion: Completion,
        clock: AnswerClock,
        answer: Answer,
    ) -> AsyncGenerator[Event | Comment, None]:
        """What the stream holds, up to its end or to the limit of bytes."""
        parser, left = SseParser(), longest_answer(completion)
        async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]
            while (data := await self._next(chunks, clock, answer)) is not None:
                left -= len(data)
                if left < 0:
                    raise self._garbled("its answer is far longer than was asked for")
                try:
                    found = parser.feed(data)
                except SseError as exc:
                    raise self._garbled(str(exc)) from exc
                for item in found:
                    yield item

    def _take(self, answer: Answer, event: Event, clock: AnswerClock) -> TokenText | None:
        try:
            return answer.take(event, clock)
        except GarbledError as exc:
            raise self._garbled(str(exc)) from exc

    def _garbled(self, problem: str) -> XnaiError:
        return XnaiError(REMOTE_GARBLED, endpoint=self.name, problem=problem)

    async def _next(
        self, chunks: AsyncIterator[bytes], clock: AnswerClock, answer: Answer
    ) -> bytes | None:
        """The next bytes, None at the end; after an answer's end nothing that fails matters."""
        following = anext(chunks, None)
        if not answer.complete:
            try:
                return await clock.limit(following)
            except (XnaiError, httpx.HTTPError):
                if answer.finish is None:
                    raise
                return None
        try:
            return await self._closing.limit(following, time.monotonic() + _REST_SECONDS)
        except (TimeoutError, XnaiError, httpx.HTTPError):
            return None

    async def _count(self, completion: Completion, answer: Answer, model: str) -> Usage:
        kind, named = self.info.kind, model or self.info.default
        prompt = await self._counter.prompt(completion.messages, kind, named)
        return Usage(prompt, (await self._counter.texts(["".join(answer.texts)], kind, named))[0])

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
