"""The targets of citations: original files, texts and pictures of pages."""

import asyncio
import json
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from xnai.api.auth import Authority
from xnai.api.bodies import parse_number
from xnai.api.fields import refuse
from xnai.api.headers import INERT_POLICY
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed, missing, require_processed
from xnai.documents.media_types import DRAWN
from xnai.documents.page_content import PageContent
from xnai.documents.text_work import TextWork
from xnai.errors import NOT_FOUND, XnaiError
from xnai.types import Document

_WIDTHS = (100, 2400)  # pixels
_WIDTH = 1000
_OFFSETS = (0, 2**31)
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": INERT_POLICY,
    "X-Content-Type-Options": "nosniff",
}


class PageRoutes:
    """The endpoints; they accept the page's cookie as well as a key."""

    def __init__(self, runtime: ApiRuntime, authority: Authority, text_work: TextWork) -> None:
        self._runtime = runtime
        self._authority = authority
        self._text_work = text_work

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        return [
            Route("/v1/files/{id}/content", self.content),
            Route("/v1/files/{id}/pages/{page}.png", self.image),
            Route("/v1/files/{id}/pages/{page}", self.text),
        ]

    async def content(self, request: Request) -> Response:
        """Serve the original file as a download, never as a page of this server."""
        document = await self._visible(request)
        path = self._runtime.library.original(document)
        if not await asyncio.to_thread(path.is_file):
            raise missing(document)
        return FileResponse(
            path,
            media_type=document.media_type,
            filename=document.file_name,
            # Compressed, it could not be asked for in parts.
            headers={**_HEADERS, "Content-Encoding": "identity"},
            content_disposition_type="attachment",
        )

    async def text(self, request: Request) -> Response:
        """Return a page's text and blocks; page 0 is the whole of a document that has no pages."""
        document = await self._visible(request)
        page = _page_number(request)
        require_processed(document)
        async with self._text_work.turn(document.owner):
            content = await self._runtime.library.page_content(document, page or None)
            if content is None:
                raise _no_page(document, page)
            body = await self._text_work.run(_page_object, document, page, content)
        return Response(body, media_type="application/json", headers=_HEADERS)

    async def image(self, request: Request) -> Response:
        """Return a page of a PDF or a photo as PNG, the words from ``start`` to ``end`` marked."""
        document = await self._visible(request)
        page = _page_number(request)
        start = query_number(request, "start", 0, _OFFSETS)
        end = query_number(request, "end", start, _OFFSETS)
        width = query_number(request, "width", _WIDTH, _WIDTHS)
        require_processed(document)
        if document.media_type not in DRAWN or not 1 <= page <= document.page_count:
            raise _no_page(document, page)
        png = await self._runtime.library.page_image(document, page, start, end, width)
        return Response(png, media_type="image/png", headers=_HEADERS)

    async def _visible(self, request: Request) -> Document:
        reader = self._authority.reader(request)
        return await allowed(self._runtime, reader, "see", request.path_params["id"])


def _page_object(document: Document, page: int, content: PageContent) -> bytes:
    """Return a page as JSON; of a long text that takes a while.

    Its blocks are written one by one: the whole at once would keep Python's lock all the time.
    """
    head = {
        "page": page or None,
        "page_count": document.page_count,
        "media_type": document.media_type,
        "file_name": document.file_name,
        "text": content.text,
    }
    blocks = (json.dumps(asdict(block), ensure_ascii=False) for block in content.blocks)
    body = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "blocks": [{", ".join(blocks)}]}}'
    return body.encode("utf-8", "replace")


def _no_page(document: Document, page: int) -> XnaiError:
    return XnaiError(NOT_FOUND, what=f"page of {document.file_name!r} with the number", name=page)


def query_number(request: Request, name: str, default: int, bounds: tuple[int, int]) -> int:
    """Return a number of the query.

    Raises:
        XnaiError: BAD_REQUEST, it is none, or out of its bounds.

    """
    value = request.query_params.get(name, "")
    if not value:
        return default
    low, high = bounds
    number = parse_number(value)
    if number is None or not low <= number <= high:
        raise refuse(f"{name}={value[:20]!r} is not valid.", f"Send a number, {low} to {high}.")
    return number


def _page_number(request: Request) -> int:
    value = request.path_params["page"]
    number = parse_number(value)
    if number is None:
        raise XnaiError(NOT_FOUND, what="page", name=value[:20])
    return number
