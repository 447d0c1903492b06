"""A stand-in for a hub of models: the endpoints that a download uses, over real sockets."""

import hashlib
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

REVISION = "5" * 40
_STEP = 1 << 18


@dataclass
class HubServer:
    """Serves ``files`` (repository -> path -> content).

    Args:
        token: what must be sent to see anything; empty: nothing.
        claims: path -> what is said of it instead of the truth: ``size``, ``sha256``.
        break_after: bytes of a file after which the connection is cut; ``None``: never.
        dies: the whole server ends with the first cut.
        stall_after: bytes after which nothing more comes, with the connection open.
        ranges: whether a part of a file can be asked for.
        cdn: address that files are redirected to, as a hub does; empty: they are sent from here.

    """

    files: dict[str, dict[str, bytes]]
    token: str = ""
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    break_after: int | None = None
    dies: bool = False
    stall_after: int | None = None
    ranges: bool = True
    cdn: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0  # bytes of files

    def __enter__(self) -> Self:
        self._server = _Listener(self)
        self.stalled = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def about(self, repository: str) -> dict[str, Any]:
        siblings = []
        for path, content in self.files[repository].items():
            truth = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            lfs = {**truth, "pointerSize": 130, **self.claims.get(path, {})}
            siblings.append({"rfilename": path, "size": lfs["size"], "blobId": "0", "lfs": lfs})
        return {"id": repository, "modelId": repository, "sha": REVISION, "siblings": siblings}


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: HubServer) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        assert isinstance(self.server, _Listener)
        return self.server.hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, dict(self.headers)))
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "RepoNotFound")
        elif api := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._about(api[1])
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(file[1], file[3])
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _about(self, repository: str) -> None:
        if repository not in self.hub.files:
            self._refuse(404, "RepoNotFound")
            return
        body = json.dumps(self.hub.about(repository)).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": len(body)})
        self.wfile.write(body)

    def _resolve(self, repository: str, path: str) -> None:
        content = self.hub.files.get(repository, {}).get(path)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        digest = hashlib.sha256(content).hexdigest()
        linked = {"X-Repo-Commit": REVISION, "ETag": f'"{digest}"'}
        linked |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": len(content)}
        if self.hub.cdn:
            where = f"{self.hub.cdn}/{repository}/resolve/{REVISION}/{path}"
            self._head(302, {**linked, "Location": where, "Content-Length": 0})
            return
        self._send(content, linked)

    def _send(self, content: bytes, headers: dict[str, Any]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and self.hub.ranges else 0
        headers["Content-Length"] = len(content) - start
        if wanted and self.hub.ranges:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers)
        if self.command == "HEAD":
            return
        for at in range(start, len(content), _STEP):
            if self.hub.break_after is not None and at >= self.hub.break_after:
                self._cut()
                return
            if self.hub.stall_after is not None and at >= self.hub.stall_after:
                self.hub.stalled.set()
                time.sleep(60)
            piece = content[at : at + _STEP]
            self.wfile.write(piece)
            self.hub.sent += len(piece)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        if self.hub.dies:
            threading.Thread(target=self.hub.end).start()

    def _refuse(self, status: int, code: str) -> None:
        hidden = b'{"error": "secret words of the hub"}'
        headers = {"X-Error-Code": code, "X-Error-Message": "secret words of the hub"}
        self._head(status, {**headers, "Content-Length": len(hidden)})
        if self.command != "HEAD":
            self.wfile.write(hidden)

    def _head(self, status: int, headers: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
