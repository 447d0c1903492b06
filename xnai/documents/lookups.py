"""Searches and lists of documents, for which persons take turns."""

from collections.abc import Sequence

from xnai.documents.fair_queue import BatchQueue, ReadingTicket
from xnai.documents.protocol import Search
from xnai.documents.turns import Turns
from xnai.retrieval.protocol import Index
from xnai.retrieval.search import Found
from xnai.types import Document, Scope

AT_ONCE = 4  # of each kind: as many as the index has threads that read


class Lookups:
    """Looks things up: a few at once, and of those that wait somebody's who has used least.

    Whoever asks a thousand things at once waits for them alone. Lists have turns of their own, as
    a search may wait for the embedding model.

    Args:
        index: has the records.
        search: finds passages.

    """

    def __init__(self, index: Index, search: Search) -> None:
        self._index = index
        self._search = search
        self._searches = Turns(BatchQueue(AT_ONCE))
        self._lists = Turns(BatchQueue(AT_ONCE))

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """Find passages, see ``Search.find``."""
        async with self._searches.turn(ReadingTicket(scope.owner)):
            return await self._search.find(question, scope, limit)

    async def documents(self, owner: str, collection: str | None = None) -> Sequence[Document]:
        """Return an owner's documents, those of a collection or all."""
        async with self._lists.turn(ReadingTicket(owner)):
            return await self._index.documents(owner, collection)
