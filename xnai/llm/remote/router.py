"""Several model endpoints behind the one protocol."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

import structlog

from xnai.errors import QUEUE_FULL, XnaiError
from xnai.llm.delivery import Delivery
from xnai.llm.instrumentation import Generation
from xnai.llm.protocol import (
    Capabilities,
    Completion,
    CompletionEvent,
    EndpointStatus,
    Lease,
    ModelInfo,
    ModelState,
    ModelStatus,
    TokenText,
)
from xnai.llm.remote.endpoint import Endpoint
from xnai.llm.remote.errors import printable, unknown_model
from xnai.llm.remote.pool import Pool
from xnai.llm.remote.timeouts import Closing
from xnai.observability import metrics
from xnai.resilience import Breaker, CircuitOpenError
from xnai.resilience.retry import Retry, RetryConfig
from xnai.resilience.shares import NoShareError, Shares
from xnai.settings import Settings
from xnai.types import Message

_log = structlog.get_logger(__name__)


class Router:
    """``xnai.llm.protocol.LanguageModel`` at the addresses of ``XNAI_LLM_URL``.

    An answer goes to the endpoint that ``Pool.choose`` names. Until the first text it may move on
    to the next endpoint, each being tried once, and when all have failed go round once more after a
    pause; after that it never does.

    Args:
        settings: llm_*, queue_limit (one user's answers under way at each endpoint).
        breaker_of: the breaker of an endpoint, by its name.
        retry: how often all endpoints are gone round, and after what pause; once without it.

    """

    def __init__(
        self,
        settings: Settings,
        breaker_of: Callable[[str], Breaker] = Breaker,
        retry: Retry | None = None,
    ) -> None:
        self._closing = Closing()
        self._pool = Pool(settings, breaker_of, self._closing)
        self._endpoints = self._pool.endpoints
        self._retry = retry or Retry("endpoints", RetryConfig(heals=lambda _: False))
        self._shares = Shares(2 * settings.queue_limit * len(self._endpoints))

    @property
    def status(self) -> ModelStatus:
        """How the endpoints are doing, without waiting."""
        usable = self._pool.usable()
        known = usable or self._endpoints
        error = None if self._state == "loading" or usable else self._pool.why_none()
        return ModelStatus(
            self._state,
            printable(self._pool.model or known[0].info.default or "remote"),
            min(endpoint.reach.since for endpoint in known),
            detail=error.message if error else self._detail(),
            retry_in=error.retry_after if error else None,
            error_code=error.code if error else "",
            running=sum(endpoint.in_flight for endpoint in self._endpoints) - self.waiting,
            waiting=self.waiting,
        )

    @property
    def _state(self) -> ModelState:
        states = {endpoint.reach.state for endpoint in self._endpoints}
        if self._pool.usable() or "busy" in states:
            return "ready"
        return "loading" if "unknown" in states else "down"

    def _detail(self) -> str:
        count = len(self._pool.usable())
        if count and len(self._endpoints) > 1:
            return f"{count} of {len(self._endpoints)} model endpoints can answer"
        verb = "Answers come from" if count else "Asking"
        return f"{verb} {', '.join(endpoint.name for endpoint in self._endpoints)}"

    @property
    def context_tokens(self) -> int:
        """The smallest context of the endpoints that can answer; 0 while unknown."""
        usable = self._pool.usable()
        return min((endpoint.context(self._pool.model) for endpoint in usable), default=0)

    @property
    def parameters(self) -> int:
        """The smallest number of weights that an endpoint tells.

        llama-server and another XNAi tell it. 0 where nobody does: the prompt then gets whole
        passages, as for a large model, since that is what people put on a server of its own.
        """
        usable = self._pool.usable()
        told = (endpoint.info.model(self._pool.model).parameters for endpoint in usable)
        return min((count for count in told if count), default=0)

    @property
    def capabilities(self) -> Capabilities:
        """Text alone: not every server gives more, and one that refuses would cost the answer."""
        return Capabilities(logprobs=False, grammars=False, local=False, tokenizer=False)

    @property
    def waiting(self) -> int:
        """How many answers have no text yet."""
        return sum(endpoint.waiting for endpoint in self._endpoints)

    @property
    def endpoints(self) -> list[EndpointStatus]:
        """Each endpoint and how it is doing."""
        return [endpoint.status(self._pool.model) for endpoint in self._endpoints]

    def models(self) -> list[ModelInfo]:
        """The models of all endpoints that can answer, the one in use first."""
        found: dict[str, ModelInfo] = {}
        for endpoint in self._pool.usable():
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
        names = [model.name for one in self._pool.usable() for model in one.info.models]
        chosen = next((full for full in names if name in {full, printable(full)}), None)
        if chosen is None:
            shown = tuple(dict.fromkeys(printable(full) for full in names))
            raise unknown_model(", ".join(e.name for e in self._endpoints), name, shown)
        self._pool.model = chosen

    async def ensure_ready(self, deadline: float) -> Lease:
        """Return once an endpoint can be asked; any number of callers probe each once.

        Raises:
            XnaiError: what is wrong with the endpoint, or with all of them.

        """
        self._closing.check()
        await self._pool.ensure_usable(deadline)
        return Lease(self)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer; closing the generator closes the connection.

        Raises:
            XnaiError: QUEUE_FULL, or what ``Endpoint.complete`` raises.

        """
        self._closing.check()
        delivery = Delivery(TokenText)
        self._retry.budget.called()
        rounds = self._retry.attempts(completion.deadline, lambda: delivery.shown)
        with self._share(completion.user):
            async for going_round in rounds:
                with going_round:
                    tour = _Tour(self._pool, completion, delivery)
                    for endpoint in tour.candidates():
                        with tour.asking(endpoint) as generation:
                            asked = generation.passed_on(completion)
                            breaker, model = self._pool.breaker(endpoint), self._pool.model
                            stream = breaker.stream(endpoint.complete, asked, model)
                            async with aclosing(stream) as events:
                                async for event in events:
                                    generation.see(event)
                                    delivery.see(event)
                                    yield event
                            return

    @contextmanager
    def _share(self, user: str) -> Iterator[None]:
        try:
            with self._shares.share(user):
                yield
        except NoShareError as exc:
            raise XnaiError(QUEUE_FULL, waiting=exc.held) from None

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the endpoint that counts the most exactly."""
        return await self._counting().count_tokens(texts, self._pool.model)

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        return await self._counting().count_prompt(messages, self._pool.model)

    def _counting(self) -> Endpoint:
        return (self._pool.usable() or self._endpoints)[0]

    async def start(self) -> None:
        """Begin to probe the endpoints in the background; returns at once."""
        self._closing.check()
        self._pool.start()

    async def close(self) -> None:
        """Stop the probes; open answers end with ``SHUTTING_DOWN``."""
        self._closing.begin()
        await self._pool.close()


class _Tour:
    """One round of the endpoints, each asked at most once, until one answers."""

    def __init__(self, pool: Pool, completion: Completion, delivery: Delivery) -> None:
        self._pool = pool
        self._completion = completion
        self._delivery = delivery
        self._error: XnaiError | None = None

    def candidates(self) -> Iterator[Endpoint]:
        """Whom to ask next, as long as nobody has answered.

        Raises:
            XnaiError: why the last one did not, or why there is none.

        """
        tried: set[str] = set()
        while endpoint := self._pool.choose(self._completion.user, tried):
            tried.add(endpoint.name)
            yield endpoint
        raise self._error or self._pool.why_none()

    @contextmanager
    def asking(self, endpoint: Endpoint) -> Iterator[Generation]:
        """Ask one endpoint, and note the error after which the next one is asked."""
        try:
            with self._counted(endpoint) as generation:
                yield generation
        except XnaiError as exc:
            self._delivery.failed(exc, curable=exc.kind.retry_elsewhere)
            self._error = exc
            _log.info("model_endpoint_passed_over", endpoint=endpoint.name, code=exc.code)

    @contextmanager
    def _counted(self, endpoint: Endpoint) -> Iterator[Generation]:
        result = "cancelled"
        metrics.remote_in_flight.labels(endpoint.name).inc()
        kind, model = endpoint.info.kind, printable(self._pool.model or endpoint.info.default)
        try:
            with Generation(kind, model, self._completion, endpoint.name) as generation:
                yield generation
            result = "answered"
        except CircuitOpenError as exc:
            result = "refused"
            raise self._pool.paused(endpoint, exc.retry_after) from exc
        except XnaiError:
            result = "failed"
            raise
        finally:
            metrics.remote_in_flight.labels(endpoint.name).dec()
            metrics.remote_answers.labels(endpoint.name, result).inc()
