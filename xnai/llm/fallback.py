"""Another model that answers while the first cannot."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from xnai.errors import XnaiError
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


class FallbackModel(DelegatingModel):
    """``LanguageModel`` of model endpoints, and of the local engine while none of them can.

    Which of the two answers a question is what ``ensure_ready`` says: its lease names that model,
    and the other one as long as it may still stand in. What is asked of this object itself goes to
    the one that its status tells of.
    """

    def __init__(self, first: LanguageModel, second: LanguageModel) -> None:
        self._first = first
        self._second = second

    @property
    def _answering(self) -> LanguageModel:
        """The first, unless it is down and the second is not."""
        stands_in = self._first.status.state == "down" and self._second.status.state == "ready"
        return self._second if stands_in else self._first

    @property
    def status(self) -> ModelStatus:
        """That of the first, unless it is down and the second is not; with the second's engine."""
        return replace(self._answering.status, engine=self._second.status.engine)

    @property
    def endpoints(self) -> list[EndpointStatus]:
        """The endpoints of the first."""
        return self._first.endpoints

    def models(self) -> list[ModelInfo]:
        """The models of the first."""
        return self._first.models()

    async def use(self, name: str) -> None:
        """Choose another model of the first."""
        await self._first.use(name)

    async def ensure_ready(self, deadline: float) -> Lease:
        """Name the model that answers.

        Raises:
            XnaiError: why the first cannot answer, if the second cannot either.

        """
        try:
            lease = await self._first.ensure_ready(deadline)
        except XnaiError as exc:
            return await Lease(self._first, self._second).after(exc, deadline)
        return replace(lease, stand_in=self._second)

    def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer."""
        return self._answering.complete(completion)

    async def start(self) -> None:
        """Begin preparing both."""
        await self._first.start()
        await self._second.start()

    async def close(self) -> None:
        """Stop both."""
        await self._first.close()
        await self._second.close()
