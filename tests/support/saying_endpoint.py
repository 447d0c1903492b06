"""A model endpoint that says what the question names by number, and a server that asks it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from rig.whole_server import Server


class Endpoint(BaseHTTPRequestHandler):
    """Says what the question names by number, a few characters at a time."""

    answers: ClassVar[list[str]] = []
    told: ClassVar[list[list[dict[str, str]]]] = []  # the messages of every request

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append(body["messages"])
        asked = str(body["messages"][-1]["content"])
        number = re.search(r"answer number (\d+)", asked)
        text = self.answers[int(number[1])] if number else "Hello."
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        step = 1 if len(text) < 200 else 7
        for start in range(0, len(text), step):
            self._event({"content": text[start : start + step]}, None)
        self._event({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, delta: dict[str, str], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@contextmanager
def saying_server(folder: Path, **environment: str) -> Iterator[Server]:
    """A whole server whose model says what it is told to."""
    endpoint = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    where = f"http://127.0.0.1:{endpoint.server_port}"
    server = Server(folder, {"XNAI_LLM_URL": where, **environment})
    server.start()
    try:
        server.wait(generation=True)
        yield server
    finally:
        server.stop()
        endpoint.shutdown()
        endpoint.server_close()
