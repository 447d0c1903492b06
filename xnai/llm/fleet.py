"""Several model endpoints behind the one protocol."""

import asyncio
import math
import zlib
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing, suppress

import structlog

from xnai.errors import (
    MODEL_DOWN,
    QUEUE_FULL,
    REMOTE_ALL_DOWN,
    REMOTE_AWAY,
    REMOTE_BUSY,
    REMOTE_PAUSED,
    XnaiError,
)
from xnai.llm.generation import Generation
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    EndpointStatus,
    ModelInfo,
    ModelState,
    ModelStatus,
    TokenText,
)
from xnai.llm.remote import Endpoint
from xnai.llm.remote_clock import Closing
from xnai.llm.remote_errors import printable, unknown_model
from xnai.resilience.breaker import Breaker, BreakerOpenError
from xnai.settings import Settings
from xnai.telemetry import metrics
from xnai.types import Message

_LOOK_SECONDS = 1.0  # between two looks whether an endpoint is due for a probe
_FAIL_OVER = frozenset({MODEL_DOWN, *REMOTE_AWAY})

_log = structlog.get_logger(__name__)


class Fleet:
    """``xnai.llm.protocol.LanguageModel`` at the addresses of ``XNAI_LLM_URL``.

    An answer goes to the endpoint with the least to do for its slots; among equals to the one that
    the same user had before, whose prefix cache knows the conversation. Until the first text it may
    move on to the next endpoint, each being tried once; after that it never does.

    Args:
        settings: llm_*, queue_limit (answers under way at each endpoint).
        breaker_of: the breaker of an endpoint, by its name.

    """

    def __init__(self, settings: Settings, breaker_of: Callable[[str], Breaker] = Breaker) -> None:
        self._closing = Closing()
        self._endpoints = [Endpoint(url, settings, self._closing) for url in settings.llm_url]
        self._breakers = {one.name: breaker_of(one.name) for one in self._endpoints}
        self._model = settings.llm_model
        self._limit = settings.queue_limit * len(self._endpoints)
        self._watching: asyncio.Task[None] | None = None

    @property
    def status(self) -> ModelStatus:
        """How the endpoints are doing, without waiting."""
        known = self._usable() or self._endpoints
        error = None if self._state == "loading" or self._usable() else self._none_left()
        return ModelStatus(
            self._state,
            printable(self._model or known[0].info.default or "remote"),
            min(endpoint.health.since for endpoint in known),
            detail=error.message if error else self._detail(),
            retry_in=error.retry_after if error else None,
            error_code=error.code if error else "",
            running=sum(endpoint.in_flight for endpoint in self._endpoints) - self.waiting,
            waiting=self.waiting,
        )

    @property
    def _state(self) -> ModelState:
        states = {endpoint.health.state for endpoint in self._endpoints}
        if self._usable() or "busy" in states:
            return "ready"
        return "loading" if "unknown" in states else "down"

    def _detail(self) -> str:
        count = len(self._usable())
        if count and len(self._endpoints) > 1:
            return f"{count} of {len(self._endpoints)} model endpoints can answer"
        verb = "Answers come from" if count else "Asking"
        return f"{verb} {', '.join(endpoint.name for endpoint in self._endpoints)}"

    @property
    def context_tokens(self) -> int:
        """The smallest context of the endpoints that can answer; 0 while unknown."""
        return min((endpoint.context(self._model) for endpoint in self._usable()), default=0)

    @property
    def parameters(self) -> int:
        """The smallest number of weights that an endpoint tells.

        llama-server and another XNAi tell it. 0 where nobody does: the prompt then gets whole
        passages, as for a large model, since that is what people put on a server of its own.
        """
        told = (e.info.model(self._model).parameters for e in self._usable())
        return min((count for count in told if count), default=0)

    @property
    def waiting(self) -> int:
        """How many answers have no text yet."""
        return sum(endpoint.waiting for endpoint in self._endpoints)

    def endpoints(self) -> list[EndpointStatus]:
        """Each endpoint and how it is doing."""
        return [
            EndpointStatus(
                endpoint=endpoint.name,
                state=endpoint.health.state,
                since=endpoint.health.since,
                detail=endpoint.health.error.message if endpoint.health.error else "",
                retry_in=endpoint.health.retry_in or None,
                error_code=endpoint.health.error.code if endpoint.health.error else "",
                model=printable(self._model or endpoint.info.default),
                in_flight=endpoint.in_flight,
            )
            for endpoint in self._endpoints
        ]

    def models(self) -> list[ModelInfo]:
        """The models of all endpoints that can answer, the one in use first."""
        found: dict[str, ModelInfo] = {}
        for endpoint in self._usable():
            for model in endpoint.info.models:
                name = printable(model.name)
                context = endpoint.context(model.name)
                found.setdefault(
                    name,
                    ModelInfo(name, endpoint.name, 0, context, parameters=model.parameters),
                )
        current = self.status.name
        found.setdefault(current, ModelInfo(current, "", 0, self.context_tokens))
        return sorted(found.values(), key=lambda info: info.name != current)

    async def use(self, name: str) -> None:
        """Ask for another model from now on, at those endpoints that have it.

        Raises:
            XnaiError: REMOTE_MODEL_UNKNOWN.

        """
        names = [model.name for endpoint in self._usable() for model in endpoint.info.models]
        chosen = next((full for full in names if name in {full, printable(full)}), None)
        if chosen is None:
            shown = tuple(dict.fromkeys(printable(full) for full in names))
            raise unknown_model(", ".join(e.name for e in self._endpoints), name, shown)
        self._model = chosen

    async def ensure_ready(self, deadline: float) -> None:
        """Return once an endpoint can be asked; any number of callers probe each once.

        Raises:
            XnaiError: what is wrong with the endpoint, or with all of them.

        """
        self._closing.check()
        if self._usable():
            return
        due = [e for e in self._endpoints if e.health.due or e.health.state == "unknown"]
        if not due:
            raise self._none_left()
        probes = [asyncio.create_task(endpoint.check()) for endpoint in due]
        try:
            with suppress(TimeoutError):
                await self._closing.limit(self._first_usable(probes), deadline)
        finally:
            for probe in probes:
                probe.cancel()
            await asyncio.gather(*probes, return_exceptions=True)
        if not self._usable():
            raise self._none_left()

    async def _first_usable(self, probes: Collection[asyncio.Task[None]]) -> None:
        for probe in asyncio.as_completed(probes):
            await probe
            if self._usable():
                return

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer; closing the generator closes the connection.

        Raises:
            XnaiError: QUEUE_FULL, or what ``Endpoint.complete`` raises.

        """
        self._closing.check()
        if sum(endpoint.in_flight for endpoint in self._endpoints) >= self._limit:
            raise XnaiError(QUEUE_FULL, waiting=self._limit)
        tried: set[str] = set()
        error: XnaiError | None = None
        while endpoint := self._choose(completion.user, tried):
            tried.add(endpoint.name)
            shown = False
            try:
                async with aclosing(self._asked(endpoint, completion)) as events:
                    async for event in events:
                        shown = shown or isinstance(event, TokenText)
                        yield event
            except XnaiError as exc:
                if shown or exc.kind not in _FAIL_OVER:
                    raise
                error = exc
                _log.info("model_endpoint_passed_over", endpoint=endpoint.name, code=exc.code)
            else:
                return
        raise error or self._none_left()

    async def _asked(
        self, endpoint: Endpoint, completion: Completion
    ) -> AsyncGenerator[CompletionEvent, None]:
        """One endpoint's answer, counted."""
        result = "cancelled"
        metrics.remote_in_flight.labels(endpoint.name).inc()
        try:
            breaker = self._breakers[endpoint.name]
            model = printable(self._model or endpoint.info.default)
            asked = Generation(endpoint.info.kind, model, completion, endpoint.name)
            with asked as generation:
                passed_on = generation.passed_on(completion)
                stream = breaker.stream(endpoint.complete, passed_on, self._model)
                async with aclosing(stream) as events:
                    async for event in events:
                        generation.see(event)
                        yield event
            result = "answered"
        except BreakerOpenError as exc:
            result = "refused"
            raise self._paused(endpoint, exc.retry_after) from exc
        except XnaiError:
            result = "failed"
            raise
        finally:
            metrics.remote_in_flight.labels(endpoint.name).dec()
            metrics.remote_answers.labels(endpoint.name, result).inc()

    def _usable(self) -> list[Endpoint]:
        return [e for e in self._able() if not self._breakers[e.name].judge.rejecting]

    def _able(self) -> list[Endpoint]:
        return [e for e in self._endpoints if e.health.usable and e.info.has(self._model)]

    def _paused(self, endpoint: Endpoint, retry_after: float | None = None) -> XnaiError:
        breaker = self._breakers[endpoint.name]
        wait = breaker.retry_after if retry_after is None else retry_after
        reason = breaker.judge.reason
        return XnaiError(REMOTE_PAUSED, retry_after=wait, endpoint=endpoint.name, reason=reason)

    def _choose(self, user: str, tried: Collection[str]) -> Endpoint | None:
        def rank(endpoint: Endpoint) -> tuple[bool, float, int]:
            load = endpoint.in_flight / endpoint.info.slots
            taste = zlib.crc32(f"{user} {endpoint.name}".encode(errors="replace"))
            return endpoint.health.shunned, load, taste

        return min((e for e in self._usable() if e.name not in tried), key=rank, default=None)

    def _none_left(self) -> XnaiError:
        """Why nobody can answer: the place where a local engine would step in."""
        if shut := [self._paused(e) for e in self._able()]:
            return min(shut, key=lambda error: error.retry_after or math.inf)
        errors = [e.health.error for e in self._endpoints if e.health.error]
        wait = min(endpoint.health.retry_in for endpoint in self._endpoints) or None
        if not errors:
            names = ", ".join(endpoint.name for endpoint in self._endpoints)
            return XnaiError(MODEL_DOWN, reason=f"{names} has not answered yet", retry_after=wait)
        busy = [error for error in errors if error.kind is REMOTE_BUSY]
        if len(errors) == 1 or busy:
            one = (busy or errors)[0]
            return XnaiError(one.kind, retry_after=wait, **one.values)
        reasons = "; ".join(error.message.rstrip(".") for error in errors)
        return XnaiError(
            REMOTE_ALL_DOWN, retry_after=wait, count=len(self._endpoints), reasons=reasons
        )

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the endpoint that counts the most exactly."""
        return await self._counting().count_tokens(texts, self._model)

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        return await self._counting().count_prompt(messages, self._model)

    def _counting(self) -> Endpoint:
        return (self._usable() or self._endpoints)[0]

    async def start(self) -> None:
        """Begin to probe the endpoints in the background; returns at once."""
        self._closing.check()
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="model endpoints")

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for endpoint in self._endpoints:
                group.create_task(self._keep_checked(endpoint))

    async def _keep_checked(self, endpoint: Endpoint) -> None:
        up = metrics.remote_up.labels(endpoint.name)
        while True:
            if endpoint.health.due:
                await endpoint.check()
            up.set(int(endpoint.health.usable))
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """Stop the probes; open answers end with ``SHUTTING_DOWN``."""
        self._closing.begin()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.close()
