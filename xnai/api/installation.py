"""Puts the HTTP interface and the port's guard into the application that serves the page."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

from xnai.api.auth import Authority, PageUser
from xnai.api.breakers import BreakerRoutes
from xnai.api.chat import ChatCompletions
from xnai.api.errors import from_router, is_api
from xnai.api.files import Files
from xnai.api.health import Health
from xnai.api.middleware import Guard
from xnai.api.pages import Pages
from xnai.api.protocol import ApiRuntime


class ApiRoute(BaseRoute):
    """Takes every path of the interface, unknown ones included, away from Chainlit's catch-all."""

    path = "api"  # the label of what matches no route further down

    def __init__(self, routes: list[Route]) -> None:
        self._router = Router(routes, redirect_slashes=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full for the paths taken, whatever the method."""
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


def no_page_user(_: Request) -> bool:
    """For a program without a page: nobody is logged in to it."""
    return False


def create_routes(runtime: ApiRuntime, page_user: PageUser = no_page_user) -> list[Route]:
    """All routes of the interface."""
    authority = Authority(runtime.settings, page_user)
    chat = ChatCompletions(runtime, authority)
    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        *Files(runtime, authority).routes(),
        *Pages(runtime, authority).routes(),
        *BreakerRoutes(runtime, authority).routes(),
        *Health(runtime, authority).routes(),
    ]


def citation_element(source: Path) -> Route:
    """Serves one Chainlit element under the names ``[1]``, ``[2]``, … that citations have."""

    async def element(_: Request) -> Response:
        return FileResponse(source, media_type="text/javascript")

    return Route("/public/elements/[{index}].jsx", element)


def install(
    app: Starlette,
    runtime: ApiRuntime,
    page_user: PageUser = no_page_user,
    element: Path | None = None,
) -> None:
    """Add routes and guard to an application that has not served a request yet.

    Args:
        app: the application that serves the page, e.g. Chainlit's.
        runtime: the running program.
        page_user: whether a request carries a valid login of the page.
        element: the file behind every citation in the page, if there is one.

    """
    if element is not None:
        app.router.routes.insert(0, citation_element(element))
    app.router.routes.insert(0, ApiRoute(create_routes(runtime, page_user)))
    app.add_middleware(Guard, settings=runtime.settings)
