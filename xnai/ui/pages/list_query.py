"""What the page of documents is asked for: which list, sorted how, and which page of it."""

from dataclasses import asdict, dataclass, replace
from typing import get_args
from urllib.parse import urlencode

from starlette.requests import Request

from xnai.api.pages import query_number
from xnai.locale import marked
from xnai.retrieval.document_lists import DocumentQuery, Order

PATH = "/documents"
THREAD = "thread:"  # begins the name of a chat's collection, see xnai/ui/documents.py
ORDERS: dict[Order, str] = {
    "newest": marked("Newest first"),
    "oldest": marked("Oldest first"),
    "name": marked("By name"),
    "size": marked("Largest first"),
    "state": marked("Not ready first"),
}
_LONGEST = 200  # characters of words that are looked for
_LONGEST_FOLDER = 2000


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Words in a name, a chat or a library, a folder and a tag of it, the order and the page."""

    q: str = ""
    chat: str = ""
    library: str = ""
    folder: str = ""
    tag: str = ""
    sort: Order = "newest"
    page: int = 1

    def address(self, **other: str | int) -> str:
        """Return the address of the list, or of one that differs from it."""
        values = asdict(replace(self, **{"page": 1, **other}))  # type: ignore[arg-type]
        usual = {"sort": "newest", "page": 1}
        query = {key: value for key, value in values.items() if value and usual.get(key) != value}
        return f"{PATH}?{urlencode(query)}" if query else PATH

    def wanted(self, person_id: str) -> DocumentQuery:
        """Return the same in the words of an index."""
        return DocumentQuery(
            person_id,
            library_id=self.library,
            words=self.q,
            collection=f"{THREAD}{self.chat}" if self.chat else None,
            folder=self.folder or None,
            tag=self.tag or None,
            order=self.sort,
        )


def query_of(request: Request) -> ListQuery:
    """Read what is asked for from the address.

    Raises:
        XnaiError: BAD_REQUEST, the page is no number.

    """
    query = request.query_params
    sort = query.get("sort", "newest")
    chosen: Order = next((one for one in get_args(Order) if one == sort), "newest")
    library = query.get("library", "")[:_LONGEST]
    return ListQuery(
        q=query.get("q", "")[:_LONGEST].strip(),
        chat=query.get("chat", "")[:_LONGEST],
        library=library,
        folder=query.get("folder", "")[:_LONGEST_FOLDER] if library else "",
        tag=query.get("tag", "")[:_LONGEST] if library else "",
        sort=chosen,
        page=query_number(request, "page", 1, (1, 2**31)),
    )
