"""A small client of a running server, for the command line."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from xnai.errors import (
    FILE_UNREADABLE,
    SERVER_GARBLED,
    SERVER_SAYS,
    SERVER_UNREACHABLE,
    XnaiError,
)
from xnai.settings import Settings
from xnai.settings.certificate import ANY_TIME

_END = "data: [DONE]"
_POLL = 0.3  # seconds between two looks at a file that is being read


def address(settings: Settings) -> str:
    """Return the address at which this machine reaches a server with these settings."""
    host = settings.host if settings.is_loopback else "127.0.0.1"
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def trusted(settings: Settings) -> ssl.SSLContext | bool:
    """Return how a server with these settings is verified: by its certificate, not by a name.

    The certificate is for the name that others use, and this machine connects to an address.
    """
    if not settings.tls_cert:
        return False  # http proves nothing, and loading all authorities is slow
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # It is this very one, so what day it is proves nothing; the server tells of that.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ANY_TIME
    with suppress(OSError):  # the server reports better what is wrong with it
        context.load_verify_locations(settings.tls_cert)
    return context


def key_headers(settings: Settings) -> dict[str, str]:
    """Return the headers that carry the first key of the settings; none without keys."""
    if not settings.api_keys:
        return {}
    return {"Authorization": f"Bearer {settings.api_keys[0].get_secret_value()}"}


class Client:
    """Talks to the server that the settings name, with the first of its keys."""

    def __init__(self, settings: Settings) -> None:
        self._url = address(settings)
        # No proxy of the environment: it would see the key and the documents.
        self._http = httpx.Client(
            base_url=self._url,
            headers=key_headers(settings),
            timeout=600,
            trust_env=False,
            verify=trusted(settings),
        )

    def upload(self, path: Path, *, replace: bool = False) -> str:
        """Send a file, replacing those of the same name if so wished.

        Returns its id while it is still being read.
        """
        fields = {"replace": "true"} if replace else {}
        with readable(path) as content, self._reaching():
            answer = self._http.post("/v1/files", data=fields, files={"file": (path.name, content)})
            return str(self._checked(answer)["id"])

    def reading(self, file_id: str) -> Iterator[dict[str, Any]]:
        """Yield the state of a file, again and again until it was read.

        Raises:
            XnaiError: the file could not be read.

        """
        while True:
            with self._reaching():
                state = self._checked(self._http.get(f"/v1/files/{file_id}"))
            yield state
            if state["status"] == "processed":
                return
            time.sleep(_POLL)

    def ask(self, question: str, file_ids: list[str]) -> Iterator[dict[str, Any]]:
        """Stream an answer: the chunks of the chat completion as they come."""
        body = {
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "retrieval": {"document_ids": file_ids} if file_ids else False,
        }
        with (
            self._reaching(),
            self._http.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            if answer.is_error:
                answer.read()
                self._checked(answer)
            line = ""
            for line in filter(None, answer.iter_lines()):
                if line.startswith("data: {"):
                    chunk = json.loads(line.removeprefix("data: "))
                    _refuse(chunk)
                    yield chunk
            if line != _END:
                raise XnaiError(SERVER_GARBLED, url=self._url)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON to an address of the server, and return what it answers."""
        with self._reaching():
            return self._checked(self._http.post(path, json=body))

    def send_synced(self, content: BinaryIO, header: str) -> dict[str, Any]:
        """Send a file of a folder that a library is in step with; ``header`` says which."""
        headers = {"X-Xnai-File": header, "Content-Type": "application/octet-stream"}
        with self._reaching():
            sending = self._http.post("/v1/sync/files", content=content, headers=headers)
            return self._checked(sending)

    def use_model(self, name: str) -> None:
        """Make the server switch to another of its models, by asking that one for a word."""
        body = {
            "model": name,
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 1,
            "retrieval": False,
        }
        with self._reaching():
            self._checked(self._http.post("/v1/chat/completions", json=body))

    def breakers(self) -> list[dict[str, Any]]:
        """Return every circuit breaker of the server."""
        with self._reaching():
            rows: list[dict[str, Any]] = self._checked(self._http.get("/v1/breakers"))["data"]
            return rows

    def breaker(self, name: str, action: str = "", reason: str = "") -> dict[str, Any]:
        """Return one circuit breaker, after an action if one is given."""
        path = f"/v1/breakers/{quote(name, safe='')}"
        with self._reaching():
            if not action:
                return self._checked(self._http.get(path))
            return self._checked(self._http.post(path, json={"action": action, "reason": reason}))

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as exc:
            raise XnaiError(SERVER_UNREACHABLE, url=self._url) from exc
        except (LookupError, TypeError, ValueError, AttributeError, httpx.HTTPError) as exc:
            raise XnaiError(SERVER_GARBLED, url=self._url) from exc

    @staticmethod
    def _checked(answer: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = answer.json()
        _refuse(body)
        answer.raise_for_status()
        return body


@contextmanager
def readable(path: Path) -> Iterator[BinaryIO]:
    """Open a file that a command names.

    Raises:
        XnaiError: FILE_UNREADABLE.

    """
    try:
        content = path.open("rb")
    except OSError as exc:
        raise XnaiError(FILE_UNREADABLE, path=path, reason=exc.strerror or "unknown") from exc
    with content:
        yield content


def _refuse(body: dict[str, Any]) -> None:
    """Raise the error that a server reports; a document reports the record of its failure."""
    if error := body.get("error"):
        raise said_by_server(error)


def said_by_server(error: dict[str, Any]) -> XnaiError:
    """Return the error that a server reports as ours.

    Raises:
        TypeError, LookupError, AttributeError: no server of ours says so. Other servers have
            errors of the same form, whose words ("File Not Found") would lead nobody to them.

    """
    code, message = error["code"], _line(error["message"])
    if not isinstance(code, str):
        raise TypeError("no code of ours")
    hint, request_id = _line(error.get("hint") or ""), _line(error.get("request_id") or "")
    message_with_code = f"{_line(code)}: {message}"
    return XnaiError(
        SERVER_SAYS,
        message=message_with_code,
        hint=f"{hint} ({request_id})" if request_id else hint,
    )


def _line(words: object) -> str:
    """Return what a server says, on one line that a terminal can show."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(words)[:1000]).split())
