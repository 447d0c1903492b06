"""A language model behind a breaker, with retries; and one that stands in for another."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from xnai.errors import MODEL_PAUSED, XnaiError
from xnai.guards.faults import is_fault
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    EndpointStatus,
    HasEndpoints,
    LanguageModel,
    ModelInfo,
    ModelStatus,
    TokenText,
)
from xnai.resilience.breaker import Breaker, BreakerOpenError
from xnai.resilience.retry import Retry
from xnai.types import Message


class GuardedModel:
    """``LanguageModel`` that is not asked while its breaker is open."""

    def __init__(self, model: LanguageModel, breaker: Breaker) -> None:
        self._model = model
        self._breaker = breaker

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        return self._model.status

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens."""
        return self._model.context_tokens

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self._model.parameters

    def models(self) -> list[ModelInfo]:
        """The models that can be chosen."""
        return self._model.models()

    async def use(self, name: str) -> None:
        """Choose another model."""
        await self._model.use(name)

    async def ensure_ready(self, deadline: float) -> None:
        """Load the model if it is not.

        That it is loaded proves nothing, so only a failure counts.

        Raises:
            XnaiError: MODEL_PAUSED, or what the model raises.

        """
        if self._breaker.judge.rejecting:
            raise paused(self._breaker)
        try:
            await self._model.ensure_ready(deadline)
        except XnaiError as exc:
            if is_fault(exc):
                await self._note(exc)
            raise

    async def _note(self, error: XnaiError) -> None:
        try:
            entry = await self._breaker.enter()
        except BreakerOpenError:
            return
        await self._breaker.leave(entry, error)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer.

        Raises:
            XnaiError: MODEL_PAUSED, or what the model raises.

        """
        try:
            stream = self._breaker.stream(self._model.complete, completion)
            async with aclosing(stream) as events:
                async for event in events:
                    yield event
        except BreakerOpenError as exc:
            raise paused(self._breaker, exc.retry_after) from exc

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        return await self._model.count_tokens(texts)

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt."""
        return await self._model.count_prompt(messages)

    async def start(self) -> None:
        """Begin preparing and loading in the background."""
        await self._model.start()

    async def close(self) -> None:
        """Stop everything that was started."""
        await self._model.close()


class PatientModel(GuardedModel):
    """Model endpoints, each behind its own breaker, that are tried again before the first text."""

    def __init__(self, model: LanguageModel, retry: Retry) -> None:
        self._model = model
        self._retry = retry

    def endpoints(self) -> list[EndpointStatus]:
        """Each of them, without waiting."""
        return self._model.endpoints() if isinstance(self._model, HasEndpoints) else []

    async def ensure_ready(self, deadline: float) -> None:
        """Return once an endpoint can be asked."""
        await self._model.ensure_ready(deadline)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer."""
        stream = self._retry.stream(
            lambda: self._model.complete(completion),
            completion.deadline,
            lambda event: isinstance(event, TokenText),
        )
        async with aclosing(stream) as events:
            async for event in events:
                yield event


def paused(breaker: Breaker, retry_after: float | None = None) -> XnaiError:
    """The error that stands for an open breaker of the model."""
    wait = breaker.retry_after if retry_after is None else retry_after
    return XnaiError(MODEL_PAUSED, retry_after=wait, reason=breaker.judge.reason)
