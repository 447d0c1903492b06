"""Endpoints that take a request of a person and give one JSON object back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnai.accounts import Principal
from xnai.api.auth import Authority
from xnai.api.errors import require_accepting, require_search
from xnai.api.protocol import ApiRuntime

NO_STORE = {"Cache-Control": "no-store"}

Endpoint = Callable[[Request, Principal], Awaitable[dict[str, object]]]
Endpoints = Sequence[tuple[str, Mapping[str, Endpoint]]]


def json_routes(runtime: ApiRuntime, authority: Authority, endpoints: Endpoints) -> list[Route]:
    """Return routes by path and method; they need the documents, and change nothing at the end."""

    def served(by_method: Mapping[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            caller = authority.caller(request)
            require_search(runtime)
            method = "GET" if request.method == "HEAD" else request.method
            if method != "GET":
                require_accepting(runtime)
            return JSONResponse(await by_method[method](request, caller), headers=NO_STORE)

        return serve

    return [Route(path, served(by), methods=list(by)) for path, by in endpoints]
