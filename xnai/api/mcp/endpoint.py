"""``/mcp``: the Model Context Protocol over streamable HTTP, by the same keys as ``/v1``.

The SDK is loaded with the first request.
"""

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from xnai.api.auth import Authority
from xnai.api.errors import REQUEST_ID, require_accepting
from xnai.api.fields import read_fields
from xnai.api.mcp.resources import DocumentResources
from xnai.api.mcp.texts import DocumentTexts
from xnai.api.mcp.tools import Toolbox
from xnai.api.mcp.visit import VISIT, Visit
from xnai.api.protocol import ApiRuntime
from xnai.documents.text_work import TextWork
from xnai.locale import preferred

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from xnai.api.mcp.sessions import PersonSessions


class McpEndpoint:
    """The endpoint as an ASGI application, for the SDK writes its responses itself."""

    def __init__(self, runtime: ApiRuntime, authority: Authority, text_work: TextWork) -> None:
        self._runtime = runtime
        self._authority = authority
        texts = DocumentTexts(runtime, text_work)
        self._toolbox = Toolbox(runtime, texts)
        self._resources = DocumentResources(runtime, texts)
        self._server: Server[Any, Any] | None = None
        self._people: dict[str, PersonSessions] = {}  # as many as there are keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            XnaiError: what is wrong with it before the protocol has it.

        """
        request = Request(scope, receive)
        caller = self._authority.caller(request)
        require_accepting(self._runtime)
        visit = Visit(
            caller, scope[REQUEST_ID], preferred(request.headers.get("accept-language", ""))
        )
        scope[VISIT] = visit
        if request.method == "POST":
            body = await request.body()
            # The SDK falls over what is no JSON, or is nested too deeply.
            read_fields(body, 'Send {"jsonrpc": "2.0", "method": "..."}.')
            receive = _again(body, receive)
        sessions = await self._sessions(caller.person_id)
        try:
            await sessions.serve(scope, receive, send)
        finally:
            visit.gone.set()

    async def _sessions(self, person_id: str) -> "PersonSessions":
        found = self._people.get(person_id)
        if found is not None and found.runs:
            return found
        module = await asyncio.to_thread(importlib.import_module, "xnai.api.mcp.sessions")
        made = await asyncio.to_thread(importlib.import_module, "xnai.api.mcp.protocol_server")
        if self._server is None:
            module.let_us_drain()
            self._server = made.create_server(self._toolbox, self._resources)
        if self._people.get(person_id) is found:  # no other request came first
            self._people[person_id] = module.PersonSessions(self._server, self._runtime.streams)
        return self._people[person_id]


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives a body which was read already, then goes on."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receiving
