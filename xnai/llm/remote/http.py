"""HTTP to one model endpoint: bounded, uncompressed, no redirects, no proxies."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from xnai.errors import MODEL_DOWN, REMOTE_GARBLED, XnaiError
from xnai.llm.remote.errors import is_hang_up, refusal, translated

_ERROR_LONGEST = 64 * 1024  # bytes
_OK = 200
# Shorter than the 5 s after which uvicorn hangs up: it must not do so while a request is sent.
_KEEP_ALIVE_SECONDS = 2.0


class EndpointHttp:
    """A client of one endpoint.

    Proxies of the environment are not used: the conversation goes to the address that the setting
    names and nowhere else. Certificates are those that this machine trusts (``SSL_CERT_FILE`` adds
    one's own). Nothing is decompressed, so that a small answer cannot become a large one.
    """

    def __init__(self, url: str, key: str, connect_timeout: float) -> None:
        self.url = url
        parts = urlsplit(url)
        self.endpoint = parts.netloc
        self.connect_timeout = connect_timeout
        headers = {"Accept-Encoding": "identity", "User-Agent": "xnai"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=connect_timeout),
            limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE_SECONDS),
            trust_env=False,
            verify=ssl.create_default_context() if parts.scheme == "https" else False,
        )

    async def close(self) -> None:
        """End every connection."""
        await self._client.aclose()

    async def json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float,
        longest: int = 1 << 20,
    ) -> Any:
        """The JSON of an answer of at most ``longest`` bytes.

        Raises:
            XnaiError: there is none ``seconds`` after the connection, or something else.

        """
        try:
            async with (
                asyncio.timeout(self.connect_timeout + seconds),
                self.stream(method, path, body) as response,
            ):
                data = await read(response, longest)
        except TimeoutError as exc:
            reason = f"{self.endpoint} does not answer within {seconds:g} seconds"
            raise XnaiError(MODEL_DOWN, reason=reason) from exc
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as exc:
            problem = f"what it says at {path} is not JSON"
            raise XnaiError(REMOTE_GARBLED, endpoint=self.endpoint, problem=problem) from exc

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        model: str = "",
        traceparent: str = "",
    ) -> AsyncIterator[httpx.Response]:
        """An answer of status 200 whose body is still to come; leaving ends the connection.

        Raises:
            XnaiError: the endpoint cannot be reached, breaks off, or answers another status.

        """
        content = None
        if body is not None:
            content = json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        if traceparent:
            headers["traceparent"] = traceparent
        request = self._client.build_request(
            method, self.url + path, content=content, headers=headers
        )
        with translated(self.endpoint, self.connect_timeout):
            response = await self._send(request)
            try:
                if response.headers.get("content-encoding", "identity") != "identity":
                    problem = "it compresses, which it was asked not to do"
                    raise XnaiError(REMOTE_GARBLED, endpoint=self.endpoint, problem=problem)
                if response.status_code != _OK:
                    error = await read(response, _ERROR_LONGEST, cut=True)
                    raise refusal(
                        self.endpoint, response.status_code, response.headers, error, model=model
                    )
                yield response
            finally:
                await response.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Send; once more if a kept connection turns out to have been closed meanwhile.

        Such a request was not begun, so that is no retry. One that had a connection of its own may
        have been, and whether it is sent again is for the budget to say.
        """
        kept = True

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal kept
            kept = kept and not event.startswith("connection.connect")

        request.extensions["trace"] = trace
        try:
            return await self._client.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as exc:
            if not kept or not is_hang_up(exc):
                raise
        return await self._client.send(request, stream=True)


async def read(response: httpx.Response, longest: int, *, cut: bool = False) -> bytes:
    """The whole body; one that is too long is cut or refused."""
    data = bytearray()
    async with raw_chunks(response) as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) > longest:
                if cut:
                    return bytes(data[:longest])
                endpoint = response.request.url.netloc.decode("ascii", "replace")
                problem = "its answer is far too long"
                raise XnaiError(REMOTE_GARBLED, endpoint=endpoint, problem=problem)
    return bytes(data)


@asynccontextmanager
async def raw_chunks(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body in pieces; whoever stops early leaves nothing behind.

    The client reads through five generators, and closing the outermost leaves the others suspended:
    they would be ended whenever they are collected, if at all. With the connection closed they can
    be run to their end, which they all reach at once.
    """
    chunks = response.aiter_raw()
    try:
        yield chunks
    finally:
        await response.aclose()
        with suppress(Exception):
            async for _ in chunks:
                pass
