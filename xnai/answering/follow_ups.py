"""Questions that may be asked next: about sections that lie beside what an answer has cited.

Each is put to the search before it is offered, and left out unless its section comes first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xnai.answering.events import Question
from xnai.documents.page_content import PageContent
from xnai.documents.protocol import DocumentLibrary
from xnai.locale import Texts
from xnai.types import Citation, Document, Scope

MOST = 3  # that are offered
_TRIED = 6  # that are put to the search
_DOCUMENTS = 2
_PAGES = 4  # of a document, on both sides of a citation
_LEAST, _LONGEST = 4, 60  # characters of a heading
_BELOW = 40  # characters that stand under a heading, if it says something
_NUMBER = re.compile(r"^[§\s]{0,3}(?:\d{1,3}[.)]?){0,4}\s{0,3}")


@dataclass(frozen=True, slots=True)
class Topic:
    """A section, by its heading as it is asked for and its place on a page."""

    words: str
    document_id: str
    page: int | None
    start: int
    end: int


async def follow_ups(
    library: DocumentLibrary, question: Question, cited: Sequence[Citation], texts: Texts
) -> list[str]:
    """Return questions that can be answered from the documents that were cited."""
    if question.scope is None:
        return []
    asked = " ".join(one.content for one in question.history if one.role == "user")
    known = f"{asked} {question.text}".casefold()
    offered: list[str] = []
    for topic in (await _topics(library, cited, known))[:_TRIED]:
        words = texts.say("What does it say about “{topic}”?", topic=topic.words)
        if await _is_answered(library, words, topic, question.scope):
            offered.append(words)
        if len(offered) == MOST:
            break
    return offered


async def _topics(library: DocumentLibrary, cited: Sequence[Citation], known: str) -> list[Topic]:
    found: dict[str, Topic] = {}
    for document_id in list(dict.fromkeys(one.document_id for one in cited))[:_DOCUMENTS]:
        document = await library.get(document_id)
        if document is None:
            continue
        places = [one for one in cited if one.document_id == document_id]
        for page in _near(document, places[0].page):
            content = await library.page_content(document, page)
            here = [one for one in places if one.page == page]
            for topic in _of_page(content, document_id, page, here) if content else ():
                if topic.words.casefold() not in known:
                    found.setdefault(topic.words.casefold(), topic)
    return list(found.values())


def _near(document: Document, page: int | None) -> list[int | None]:
    """Return the page that is cited, those after it, and then those before it."""
    if page is None:
        return [None]
    later = range(page, min(page + _PAGES, document.page_count + 1))
    return [*later, *range(page - 1, max(page - _PAGES, 0), -1)]


def _of_page(
    content: PageContent, document_id: str, page: int | None, cited: Sequence[Citation]
) -> list[Topic]:
    heads = [block for block in content.blocks if block.kind == "heading"]
    ends = [*(block.start for block in heads[1:]), len(content.text)]
    topics = []
    for block, end in zip(heads, ends, strict=True):
        words = _NUMBER.sub("", " ".join(block.text.split()).lstrip("# ")).strip(" :*")
        is_read = any(block.start <= one.start < end for one in cited)
        says_something = end - block.end >= _BELOW
        if _LEAST <= len(words) <= _LONGEST and says_something and not is_read:
            topics.append(Topic(words, document_id, page, block.start, end))
    return topics


async def _is_answered(library: DocumentLibrary, words: str, topic: Topic, scope: Scope) -> bool:
    """Return whether the best passage for a question is of its section."""
    best = next(iter(await library.search(words, scope, 1)), None)
    return (
        best is not None
        and (best.document_id, best.page) == (topic.document_id, topic.page)
        and best.start < topic.end
        and topic.start < best.end
    )
