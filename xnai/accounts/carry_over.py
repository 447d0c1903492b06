"""Owners as earlier versions wrote them, carried over to people.

A document used to belong to a chat (``thread:…``), to a key (``key:…``) or to whoever used the API
without one (``api``); the history says whose a chat is. A document for which nobody can be found
keeps its owner, belongs to nobody, and is looked at again at the next start.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

import structlog

from xnai.accounts.people import People
from xnai.accounts.protocol import Conversations
from xnai.errors import INDEX_DAMAGED, XnaiError

log = structlog.get_logger(__name__)

_THREAD = "thread:"


class OwnerIndex(Protocol):
    """The index as far as it holds the owners of documents."""

    async def unowned(self, known: Collection[str]) -> list[tuple[str, str, str]]:
        """Return id, owner and collection of documents whose owner is none of those known."""
        ...

    async def give(self, document_id: str, owner: str) -> None:
        """Make somebody the owner of a document."""
        ...


async def carry_over(index: OwnerIndex, people: People, conversations: Conversations) -> int:
    """Give documents of earlier versions their owners; returns how many got one."""
    waiting = await index.unowned(people.ids())
    if not waiting:
        return 0
    authors = await asyncio.to_thread(conversations.authors)
    given = 0
    for document_id, owner, collection in waiting:
        person_id = await asyncio.to_thread(_person, people, authors, owner, collection)
        if person_id != owner and await _give(index, document_id, person_id):
            given += 1
    if given:
        log.info("documents were given their owners", documents=given)
    if left := len(waiting) - given:
        log.warning("documents belong to nobody that is known here", documents=left)
    return given


def owner_now(people: People, conversations: Conversations, owner: str, collection: str) -> str:
    """Return the person who owns a document that some version gave to ``owner``; blocks.

    If nobody is known, ``owner`` is returned as it is.
    """
    authors = {} if owner else conversations.authors()
    return _person(people, authors, owner, collection)


def _person(people: People, authors: Mapping[str, str], owner: str, collection: str) -> str:
    name = owner or authors.get(collection.removeprefix(_THREAD), "")
    person_id = people.id_of_former_name(name) if name else ""
    return person_id if people.knows(person_id) else owner


async def _give(index: OwnerIndex, document_id: str, person_id: str) -> bool:
    try:
        await index.give(document_id, person_id)
    except XnaiError as error:
        if error.kind is not INDEX_DAMAGED:
            raise
        # The other chats are still found.
        log.warning("a document was not given its owner", document_id=document_id, code=error.code)
        return False
    return True
