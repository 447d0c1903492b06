"""A model that says what is queued: the real protocol, without a machine behind it."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xnai.errors import XnaiError
from xnai.llm.protocol import (
    Capabilities,
    Completion,
    CompletionEvent,
    EndpointStatus,
    Lease,
    ModelInfo,
    ModelStatus,
)
from xnai.types import Message

LOCAL = Capabilities(logprobs=True, grammars=True, local=True, tokenizer=True)
REMOTE = Capabilities(logprobs=False, grammars=False, local=False, tokenizer=False)


@dataclass
class QueueModel:
    """A model that says what is queued; an exception in the queue is raised in its place.

    A token is a word, and the template adds two to each message.
    """

    script: list[CompletionEvent | Exception] = field(default_factory=list)
    context_tokens: int = 8000
    parameters: int = 8_000_000_000
    not_ready: XnaiError | None = None
    state: Literal["preparing", "loading", "ready", "down"] = "ready"
    asked: list[Completion] = field(default_factory=list)
    closed: int = 0
    capabilities: Capabilities = LOCAL
    since: float = field(default_factory=time.time)

    @property
    def status(self) -> ModelStatus:
        return ModelStatus(self.state, "queue", self.since, "Loading queue")

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("queue", "/dev/null", 1)]

    async def use(self, name: str) -> None: ...

    @property
    def endpoints(self) -> list[EndpointStatus]:
        return []

    async def ensure_ready(self, deadline: float) -> Lease:
        if self.not_ready:
            raise self.not_ready
        return Lease(self)

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        self.asked.append(completion)
        try:
            for event in self.script:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed += 1

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        return sum(len(m.content.split()) + 2 for m in messages)

    async def start(self) -> None: ...

    async def close(self) -> None: ...
