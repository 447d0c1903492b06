"""Installs the HTTP interface and the guard of the port in the application that serves the page."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

from xnai.accounts import Principal
from xnai.api.auth import Authority, PagePerson
from xnai.api.breakers import BreakerRoutes
from xnai.api.chat import ChatCompletions
from xnai.api.embeddings import EmbeddingRoutes
from xnai.api.errors import from_router, is_api
from xnai.api.files import FileRoutes
from xnai.api.health import HealthRoutes
from xnai.api.mcp.endpoint import McpEndpoint
from xnai.api.middleware import Guard
from xnai.api.openapi import OpenApi
from xnai.api.pages import PageRoutes
from xnai.api.protocol import ApiRuntime
from xnai.api.responses import Responses
from xnai.api.sync import SyncRoutes
from xnai.api.vector_store_batches import BatchRoutes
from xnai.api.vector_stores import VectorStoreRoutes
from xnai.documents.text_work import TextWork


class ApiRoute(BaseRoute):
    """Takes every path of the interface, unknown ones included, away from Chainlit's catch-all."""

    path = "api"  # the label of what matches no route further down

    def __init__(self, routes: list[Route]) -> None:
        self._router = Router(routes, redirect_slashes=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the paths taken, whatever the method."""
        if scope["type"] == "http" and is_api(scope["path"]):
            return Match.FULL, {"endpoint": self}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request.

        Raises:
            XnaiError: NOT_FOUND and METHOD_NOT_ALLOWED among others; the guard answers.

        """
        try:
            await self._router(scope, receive, send)
        except HTTPException as exc:
            raise from_router(exc, scope) from None


def no_page_person(_: Request) -> Principal | None:
    """Return None: in a program without a page nobody is signed in to it."""
    return None


def create_routes(runtime: ApiRuntime, page_person: PagePerson = no_page_person) -> list[Route]:
    """Return all routes of the interface."""
    authority = Authority(runtime, page_person)
    text_work = TextWork()
    agents = McpEndpoint(runtime, authority, text_work)
    return [
        Route("/v1/chat/completions", ChatCompletions(runtime, authority), methods=["POST"]),
        Route("/v1/responses", Responses(runtime, authority), methods=["POST"]),
        *EmbeddingRoutes(runtime, authority).routes(),
        *FileRoutes(runtime, authority).routes(),
        *VectorStoreRoutes(runtime, authority).routes(),
        *SyncRoutes(runtime, authority).routes(),
        *BatchRoutes(runtime, authority).routes(),
        *PageRoutes(runtime, authority, text_work).routes(),
        *BreakerRoutes(runtime, authority).routes(),
        *HealthRoutes(runtime, authority).routes(),
        *OpenApi().routes(),
        Route("/mcp", agents, methods=["GET", "POST", "DELETE"]),
    ]


def install(
    app: Starlette,
    runtime: ApiRuntime,
    page_person: PagePerson = no_page_person,
) -> None:
    """Add routes and guard to an application that has not served a request yet.

    Args:
        app: the application that serves the page, e.g. Chainlit's.
        runtime: the running program.
        page_person: returns the person whose valid cookie of the page a request carries.

    """
    app.router.routes.insert(0, ApiRoute(create_routes(runtime, page_person)))
    app.add_middleware(
        Guard,
        settings=runtime.settings,
        context_tokens=lambda: runtime.model.context_tokens,
    )
