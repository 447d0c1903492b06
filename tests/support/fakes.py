"""Small real stand-ins: they do what their protocol says, from a queue instead of a machine."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from rig.queue_model import QueueModel
from xnai.errors import XnaiError
from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.retrieval.search import Found
from xnai.types import PageText, PageTexts, Passage, Scope, Usage


@dataclass
class ReplyModel(QueueModel):
    """A model that gives one reply after the other, a word at a time, or events that are queued.

    One that has refused refuses again when it is told to look once more. ``said`` counts the words
    that were taken of it.
    """

    replies: list[str | list[CompletionEvent]] = field(default_factory=list)
    said: int = 0

    @property
    def first_asked(self) -> list[Completion]:
        """What it was asked, but for looking once more."""
        return [one for one in self.asked if "Look again" not in one.messages[-1].content]

    async def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        at = len(self.asked)
        if at == len(self.replies) and "Look again" in completion.messages[-1].content:
            at -= 1
        reply = self.replies[at]
        self.asked.append(completion)
        words = _words(reply) if isinstance(reply, str) else reply
        try:
            for event in words:
                self.said += 1
                yield event
            yield Finished("stop", Usage(100, len(words)))
        finally:
            self.closed += 1


def _words(text: str) -> list[CompletionEvent]:
    return [TokenText(word) for word in re.findall(r"\s*\S+", text)]


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

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        """Each passage is all of its page."""
        if self.away:
            raise self.away
        characters = sum(len(passage.text) for passage in self.shelf)
        pages = tuple(
            PageText(one.document_id, one.file_name, len(self.shelf), one.page, one.text)
            for one in self.shelf
        )
        return PageTexts(characters, pages if characters <= limit else None)

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        found = (one for one in self.shelf if (one.document_id, one.page) == (document_id, page))
        return next((one.text for one in found), None)
