"""Questions that are offered after an answer: about sections that the search does find."""

import dataclasses
import re

import pytest
from fakes import ShelfLibrary

from xnai.answering.events import Question
from xnai.answering.follow_ups import follow_ups
from xnai.documents.blocks import blocks_of
from xnai.documents.page_content import PageBlock, PageContent
from xnai.locale import IN_ENGLISH, texts_in
from xnai.types import Citation, Document, Message, Passage, Scope

PAGES = (
    (
        "# Lease\n\nThis lease is between the landlord and the tenant of the house.\n\n"
        "# 1. Rent\n\nThe rent is 840 euros a month, due on the third working day.\n"
    ),
    (
        "# 2. Deposit\n\nA deposit of two months' rent is held by the landlord until the end.\n\n"
        "# 3. Notices:\n\nSee above.\n\n"
        "# 4.1 Ending the lease\n\nEither side may end it with three months' notice in writing.\n\n"
        "# Keys\n\nThe tenant hands back all four keys on the last day of the lease.\n"
    ),
)
LEASE = Document("d", "me", "lease.md", "text/markdown", 9, "", 0.0, "processed", page_count=2)
SCOPE = Scope("me")


def block(text: str, kind: str, start: int, end: int) -> PageBlock:
    return PageBlock(kind, text[start:end], None, "", (), None, start, end)  # type: ignore[arg-type]


class Sections(ShelfLibrary):
    """Finds the section whose heading a question names, unless that is one of those ``hidden``."""

    hidden: tuple[str, ...] = ()

    async def get(self, _: str) -> Document:
        return LEASE

    async def page_content(self, _: Document, page: int | None) -> PageContent:
        text = PAGES[(page or 1) - 1]
        blocks = blocks_of(text, markdown=True)
        return PageContent(text, tuple(block(text, b.kind, b.start, b.end) for b in blocks))

    async def search(self, question: str, _: Scope, limit: int) -> list[Passage]:
        self.queries.append(question)
        words = re.split("[“”„]", question)[1]
        for number, text in enumerate(PAGES, 1):
            at = text.find(words)
            if at >= 0 and words not in self.hidden:
                return [Passage("d", "lease.md", number, at, at + 60, text, 0.9)][:limit]
        return [Passage("d", "lease.md", 1, 0, 5, PAGES[0], 0.9)][:limit]


def cited(page: int, words: str) -> Citation:
    start = PAGES[page - 1].index(words)
    return Citation(1, "d", "lease.md", page, start, start + len(words), words, 0.9)


def asked(*before: str, **changed: object) -> Question:
    history = tuple(Message("user", one) for one in before)
    question = Question("How much is it a month?", "r", "me", history=history, scope=SCOPE)
    return dataclasses.replace(question, **changed)


async def test_sections_that_are_not_cited_and_say_something_are_asked_about():
    offered = await follow_ups(Sections(), asked(), [cited(1, "840 euros")], IN_ENGLISH)
    assert offered == [f"What does it say about “{one}”?" for one in ("Lease", "Deposit")] + [
        "What does it say about “Ending the lease”?"
    ]


async def test_what_the_search_does_not_find_first_is_not_offered():
    library = Sections()
    library.hidden = ("Deposit",)
    offered = await follow_ups(library, asked(), [cited(1, "840 euros")], IN_ENGLISH)
    assert not any("Deposit" in one for one in offered)
    assert any("Deposit" in one for one in library.queries)


async def test_what_was_asked_before_is_not_offered_again():
    before = "What does it say about “Ending the lease”?"
    offered = await follow_ups(Sections(), asked(before), [cited(2, "two months")], IN_ENGLISH)
    assert offered == ["What does it say about “Keys”?", "What does it say about “Rent”?"]


@pytest.mark.parametrize("citations", [[], [cited(1, "840 euros")]])
async def test_nothing_is_offered_without_documents(citations):
    question = asked(scope=None) if citations else asked()
    assert await follow_ups(Sections(), question, citations, IN_ENGLISH) == []


async def test_they_are_in_the_language_of_the_question():
    offered = await follow_ups(Sections(), asked(), [cited(1, "840 euros")], texts_in("de"))
    assert "Was steht dort zu „Deposit“?" in offered
