"""Another model that answers while the first cannot."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from contextvars import ContextVar

from xnai.errors import REMOTE_AWAY, XnaiError
from xnai.guards.model import PatientModel
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    EndpointStatus,
    LanguageModel,
    ModelInfo,
    ModelStatus,
)
from xnai.types import Message

_AWAY = frozenset(REMOTE_AWAY)


class FallbackModel:
    """``LanguageModel`` of model endpoints, and of the local engine while none of them can.

    Which of the two a question goes to is decided by ``ensure_ready`` and holds for all that its
    task asks after that; ``reduced`` tells why it is the second. A prompt that was made for the
    first is never given to the second, which may have less room and need less: when the first fails
    later, ``move_on`` has the next ``ensure_ready`` choose the second.
    """

    def __init__(self, first: PatientModel, second: LanguageModel) -> None:
        self._first = first
        self._second = second
        self._reason: ContextVar[XnaiError | None] = ContextVar("xnai_fallback", default=None)
        self._moved: ContextVar[XnaiError | None] = ContextVar("xnai_moved_on", default=None)

    @property
    def _now(self) -> LanguageModel:
        return self._first if self._reason.get() is None else self._second

    @property
    def reduced(self) -> XnaiError | None:
        """Why the current task is answered by the second model; None if it is not."""
        return self._reason.get()

    @property
    def status(self) -> ModelStatus:
        """That of the first, unless it is down and the second is not."""
        first, second = self._first.status, self._second.status
        return second if first.state == "down" and second.state == "ready" else first

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens."""
        return self._now.context_tokens

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self._now.parameters

    def endpoints(self) -> list[EndpointStatus]:
        """The endpoints of the first."""
        return self._first.endpoints()

    def models(self) -> list[ModelInfo]:
        """The models of the first."""
        return self._first.models()

    async def use(self, name: str) -> None:
        """Choose another model of the first."""
        await self._first.use(name)

    def move_on(self, reason: XnaiError) -> bool:
        """Have the current task begin again with the second model, if that may help."""
        if reason.kind not in _AWAY or self._reason.get() is not None:
            return False
        self._moved.set(reason)
        return True

    async def ensure_ready(self, deadline: float) -> None:
        """Choose the model for this task.

        Raises:
            XnaiError: why the first cannot answer, if the second cannot either.

        """
        reason = self._moved.get()
        self._moved.set(None)
        self._reason.set(None)
        if reason is None:
            try:
                await self._first.ensure_ready(deadline)
            except XnaiError as exc:
                if exc.kind not in _AWAY:
                    raise
                reason = exc
            else:
                return
        try:
            await self._second.ensure_ready(deadline)
        except XnaiError:
            raise reason from None
        self._reason.set(reason)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer of the model that was chosen."""
        async with aclosing(self._now.complete(completion)) as events:
            async for event in events:
                yield event

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        return await self._now.count_tokens(texts)

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt."""
        return await self._now.count_prompt(messages)

    async def start(self) -> None:
        """Begin preparing both."""
        await self._first.start()
        await self._second.start()

    async def close(self) -> None:
        """Stop both."""
        await self._first.close()
        await self._second.close()
