"""A streaming chat client that costs next to nothing: it competes with the servers for the CPU."""

import asyncio
import json
import re
import time
from dataclasses import dataclass

_FIRST_TEXT = re.compile(rb'"content": ?"[^"]')
_READ = 65536


class BrokenAnswerError(Exception):
    """A response without an answer, or one that ended in an error; ``started``: it had text."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(f"no answer: {raw[:300]!r} ... {raw[-500:]!r}")
        self.started = bool(_FIRST_TEXT.search(raw))


@dataclass(frozen=True, slots=True)
class Answer:
    """One streamed answer; times are those of ``time.perf_counter()`` in seconds.

    ``tokens`` is what the server counts, or else the number of pieces that carried text;
    ``prompt_tokens`` is 0 where the server does not say.
    """

    text: str
    began: float
    first: float
    ended: float
    tokens: int
    prompt_tokens: int

    @property
    def first_token(self) -> float:
        """Seconds from sending the request to the first text."""
        return self.first - self.began


def request_body(messages: list[dict[str, str]], max_tokens: int, **more: object) -> bytes:
    """The same request for every server; fields that one does not know it ignores."""
    fields = {
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
        "temperature": 0,
        "top_k": 40,
        "top_p": 0.95,
        "min_p": 0.05,
        "repeat_penalty": 1.0,
        "retrieval": False,
        **more,
    }
    return json.dumps(fields).encode()


async def ask(port: int, body: bytes) -> Answer:
    """Send one request to a server on this machine and read its stream to the end.

    Raises:
        BrokenAnswerError: the status is not 200, or the stream has no text or carries an error.

    """
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    first, raw = 0.0, bytearray()
    try:
        writer.write(head.encode() + body)
        while data := await reader.read(_READ):
            raw += data
            if not first and _FIRST_TEXT.search(raw):
                first = time.perf_counter()
    finally:
        writer.close()
    ended = time.perf_counter()
    text, pieces, usage = _parse(bytes(raw))
    tokens = int(usage.get("completion_tokens", pieces))
    return Answer(text, began, first, ended, tokens, int(usage.get("prompt_tokens", 0)))


def _parse(raw: bytes) -> tuple[str, int, dict[str, int]]:
    """Text, number of pieces of text, and the token counts of a raw response."""
    head, _, content = raw.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise BrokenAnswerError(raw)
    if b"chunked" in head.lower():
        try:
            content = _unchunked(content)
        except ValueError:  # cut off
            raise BrokenAnswerError(raw) from None
    texts: list[str] = []
    usage: dict[str, int] = {}
    for line in content.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if "error" in event:
            raise BrokenAnswerError(raw)
        usage = event.get("usage") or usage
        texts += [text for c in event.get("choices", ()) if (text := c["delta"].get("content"))]
    if not texts:
        raise BrokenAnswerError(raw)
    return "".join(texts), len(texts), usage


def _unchunked(content: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        end = content.index(b"\r\n", at)
        size = int(content[at:end], 16)
        if not size:
            return b"".join(parts)
        parts.append(content[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
