"""`xnai mcp`: the running server for agents that start a command and speak over its pipes.

Messages are handed on to ``/mcp`` as they are, and what comes back is written as it is. A server
that was started again knows the session no more: then it is opened once more, and the agent
notices nothing.
"""

import asyncio
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx

from xnai.aio import cancel_and_wait
from xnai.cli.errors import catalogued
from xnai.client import address, key_headers, said_by_server, trusted
from xnai.errors import SERVER_GARBLED, SERVER_UNREACHABLE, XnaiError
from xnai.settings import Settings, load_settings

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectSendStream
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

_PATH = "/mcp"
_ACCEPT = {"Accept": "application/json, text/event-stream"}
_SESSION, _VERSION = "mcp-session-id", "mcp-protocol-version"
_INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
_DATA = "data: "
_ATTEMPTS = 3  # to hand on a message, each in a new session
_MOST = 64  # requests under way
_CONNECT_SECONDS = 10.0
_SERVER_ERROR = -32000  # of JSON-RPC, for what is the server's own

Wire = dict[str, Any]


def mcp_command() -> None:
    """Serve an agent over standard input and output, from the running server.

    This is what an agent's settings name as a command of the Model Context Protocol.
    """
    asyncio.run(_run(load_settings()))


async def _run(settings: Settings) -> None:
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - keeps `xnai --help` quick

    http = httpx.AsyncClient(
        base_url=address(settings),
        headers={**key_headers(settings), **_ACCEPT},
        # An answer may take minutes; the server's signs of life do not end the wait.
        timeout=httpx.Timeout(_CONNECT_SECONDS, read=None),
        trust_env=False,  # no proxy of the environment: it would see the key and the documents
        verify=trusted(settings),
    )
    async with http, stdio_server() as (reading, writing), writing:
        bridge = Bridge(http, address(settings), writing)
        calls: set[asyncio.Task[None]] = set()
        try:
            async for item in reading:
                if isinstance(item, Exception):
                    print("xnai: a line that is no message was skipped", file=sys.stderr)
                    continue
                call = asyncio.create_task(bridge.hand_on(item.message))
                calls.add(call)
                call.add_done_callback(calls.discard)
                await bridge.free()
        finally:  # nobody writes any more: what still runs is of no use
            await cancel_and_wait(*calls)
            await bridge.close()


class Bridge:
    """Hands messages on to a server, and its answers back.

    Args:
        http: connected to the server.
        url: its address, for errors.
        writing: where answers go.

    """

    def __init__(
        self, http: httpx.AsyncClient, url: str, writing: "MemoryObjectSendStream[SessionMessage]"
    ) -> None:
        self._http = http
        self._url = url
        self._writing = writing
        self._hello: Wire = {}  # what began the session
        self._headers: dict[str, str] = {}  # of the session
        self._opening = asyncio.Lock()
        self._free = asyncio.Semaphore(_MOST)

    async def free(self) -> None:
        """Wait until there is room for one more request."""
        async with self._free:
            pass

    async def hand_on(self, message: "JSONRPCMessage") -> None:
        """Hand one message on; whatever goes wrong is an answer to it."""
        wire: Wire = message.model_dump(by_alias=True, mode="json", exclude_none=True)
        async with self._free:
            try:
                await self._exchange(wire)
            except Exception as exc:  # noqa: BLE001 - who asked waits for an answer
                if _wants_answer(wire):
                    error = {"code": _SERVER_ERROR, "message": str(catalogued(exc))}
                    await self._write({"jsonrpc": "2.0", "id": wire["id"], "error": error})

    async def close(self) -> None:
        """End the session."""
        if _SESSION in self._headers:
            with suppress(httpx.HTTPError):
                await self._http.delete(_PATH, headers=self._headers, timeout=_CONNECT_SECONDS)

    async def _exchange(self, wire: Wire) -> None:
        if wire.get("method") == "initialize":
            self._hello = wire
            await self._posted(wire, {})
            return
        for _ in range(_ATTEMPTS):
            headers = self._headers
            if await self._posted(wire, headers):
                return
            async with self._opening:
                if headers is self._headers:  # nobody else has opened it meanwhile
                    await self._open_again()
        raise XnaiError(SERVER_GARBLED, url=self._url)

    async def _open_again(self) -> None:
        await self._posted(self._hello, {}, quietly=True)
        await self._posted(_INITIALIZED, self._headers)

    async def _posted(self, wire: Wire, headers: dict[str, str], *, quietly: bool = False) -> bool:
        """Send a message and write what comes back; False if the session is not there any more.

        Raises:
            XnaiError: SERVER_UNREACHABLE, SERVER_GARBLED, SERVER_SAYS.

        """
        try:
            async with self._http.stream("POST", _PATH, json=wire, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND and headers:
                    return False
                if answer.is_error:
                    raise _refused(await answer.aread(), self._url)
                if answer.status_code == httpx.codes.ACCEPTED and not _wants_answer(wire):
                    return True
                await self._answered(answer, wire, quietly=quietly)
        except httpx.TransportError as exc:
            raise XnaiError(SERVER_UNREACHABLE, url=self._url) from exc
        except (ValueError, RecursionError, httpx.HTTPError) as exc:
            raise XnaiError(SERVER_GARBLED, url=self._url) from exc
        return True

    async def _answered(self, answer: httpx.Response, wire: Wire, *, quietly: bool) -> None:
        """Write the messages of a response, the answer last."""
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise XnaiError(SERVER_GARBLED, url=self._url)
        async for line in answer.aiter_lines():
            if not line.startswith(_DATA):
                continue  # an event of ours has one line of data
            told = _object(json.loads(line.removeprefix(_DATA)))
            if wire.get("method") == "initialize" and "result" in told:
                version = str(_object(told["result"]).get("protocolVersion", ""))
                session = answer.headers.get(_SESSION, "")
                self._headers = {_SESSION: session, _VERSION: version}
            if not quietly:
                await self._write(told)
            if told.get("id") == wire.get("id") and "method" not in told:
                return
        raise XnaiError(SERVER_GARBLED, url=self._url)

    async def _write(self, wire: Wire) -> None:
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 - as above
        from mcp.types import JSONRPCMessage  # noqa: PLC0415

        await self._writing.send(SessionMessage(JSONRPCMessage.model_validate(wire)))


def _wants_answer(wire: Wire) -> bool:
    """Whether a message is a request, and neither a notification nor an answer itself."""
    return "id" in wire and "method" in wire


def _object(told: Any) -> Wire:
    """Return what a server says if it is an object; anything else is no message of ours."""
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - as of what is no JSON
    return told


def _refused(body: bytes, url: str) -> XnaiError:
    try:
        return said_by_server(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return XnaiError(SERVER_GARBLED, url=url)
