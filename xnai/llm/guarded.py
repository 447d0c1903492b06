"""A language model behind a breaker."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from xnai.breakers import is_fault
from xnai.errors import MODEL_PAUSED, XnaiError
from xnai.llm.delegating import DelegatingModel
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    EndpointStatus,
    LanguageModel,
    Lease,
    ModelInfo,
    ModelStatus,
)
from xnai.resilience import Breaker, CircuitOpenError


class GuardedModel(DelegatingModel):
    """``LanguageModel`` that is not asked while its breaker is open."""

    def __init__(self, model: LanguageModel, breaker: Breaker) -> None:
        self._model = model
        self._breaker = breaker

    @property
    def _answering(self) -> LanguageModel:
        return self._model

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        return self._model.status

    @property
    def endpoints(self) -> list[EndpointStatus]:
        """The places that answers come from."""
        return self._model.endpoints

    def models(self) -> list[ModelInfo]:
        """The models that can be chosen."""
        return self._model.models()

    async def use(self, name: str) -> None:
        """Choose another model."""
        await self._model.use(name)

    async def ensure_ready(self, deadline: float) -> Lease:
        """Load the model if it is not; it is asked behind its breaker.

        That it is loaded proves nothing, so only a failure counts.

        Raises:
            XnaiError: MODEL_PAUSED, or what the model raises.

        """
        if self._breaker.rejecting:
            raise paused(self._breaker)
        try:
            await self._model.ensure_ready(deadline)
        except XnaiError as exc:
            if is_fault(exc):
                await self._note(exc)
            raise
        return Lease(self)

    async def _note(self, error: XnaiError) -> None:
        try:
            entry = await self._breaker.enter()
        except CircuitOpenError:
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
        except CircuitOpenError as exc:
            raise paused(self._breaker, exc.retry_after) from exc

    async def start(self) -> None:
        """Begin preparing and loading in the background."""
        await self._model.start()

    async def close(self) -> None:
        """Stop everything that was started."""
        await self._model.close()


def paused(breaker: Breaker, retry_after: float | None = None) -> XnaiError:
    """The error that stands for an open breaker of the model."""
    wait = breaker.retry_after if retry_after is None else retry_after
    return XnaiError(MODEL_PAUSED, retry_after=wait, reason=breaker.reason)
