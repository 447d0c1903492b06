"""Small real stand-ins: they do what their protocol says, from a queue instead of a machine."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from xnai.errors import XnaiError
from xnai.llm.protocol import Completion, CompletionEvent, ModelInfo, ModelStatus
from xnai.retrieval.search import Found
from xnai.types import Message, Passage, Scope


@dataclass
class QueueModel:
    """A model that says what is queued; an exception in the queue is raised in its place.

    A token is a word, and the template adds two to each message.
    """

    script: list[CompletionEvent | Exception] = field(default_factory=list)
    context_tokens: int = 1000
    parameters: int = 8_000_000_000
    not_ready: XnaiError | None = None
    state: str = "ready"
    asked: list[Completion] = field(default_factory=list)
    closed: int = 0

    @property
    def status(self) -> ModelStatus:
        return ModelStatus(self.state, "queue", time.time(), "Loading queue")

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("queue", "/dev/null", 1)]

    async def use(self, name: str) -> None: ...

    async def ensure_ready(self, deadline: float) -> None:
        if self.not_ready:
            raise self.not_ready

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


@dataclass
class ShelfLibrary:
    """A library that finds what lies on its shelf."""

    shelf: list[Passage] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    away: XnaiError | None = None
    text_only: XnaiError | None = None

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        return (await self.find(question, scope, limit)).passages

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        self.queries.append(question)
        if self.away:
            raise self.away
        return Found(self.shelf[:limit], self.text_only)

    async def everything(self, scope: Scope) -> list[Passage]:
        return list(self.shelf)
