"""Pages of our own over HTTP, and what is on them."""

from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser

from api_server import client, listening, page

from xnai.accounts import Principal
from xnai.api import install as install_api
from xnai.ui.chosen import ChosenDocuments
from xnai.ui.pages import routes

KEYS = {"api_keys": "first-key-of-test,second-key-of-test"}
FIRST = {"Authorization": "Bearer first-key-of-test"}
SECOND = {"Authorization": "Bearer second-key-of-test"}


class Shown(HTMLParser):
    """Elements, links and words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.marked = ""
        self._in_mark = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_mark |= tag == "mark"

    def handle_endtag(self, tag: str) -> None:
        self._in_mark &= tag != "mark"

    def handle_data(self, data: str) -> None:
        self.words += data
        self.marked += data if self._in_mark else ""

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [a for name, a in self.tags if name == tag and wanted.items() <= a.items()]


@asynccontextmanager
async def reading(runtime, person: Principal | None = None):
    app = page()
    again = runtime.library.ingest_in_background
    routes.install(app, runtime, lambda _: person, again, ChosenDocuments())
    install_api(app, runtime, lambda _: person)
    async with listening(app) as url, client(url) as http:
        yield http


async def read(http, runtime, text: str, name: str = "notes.txt", headers=None, **changes) -> str:
    """Upload a text that counts as read."""
    files = {"file": (name, text.encode())}
    answer = await http.post("/v1/files", files=files, headers=headers)
    file_id = str(answer.json()["id"])
    given = {"status": "processed", "page_count": 1, "chunk_count": 1, **changes}
    runtime.library.records[file_id] = replace(runtime.library.records[file_id], **given)
    return file_id
