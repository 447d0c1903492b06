"""Server-sent events, read from bytes that may be cut anywhere.

The `HTML standard <https://html.spec.whatwg.org/multipage/server-sent-events.html>`_, with two
additions: comments are told, because a server's place in line stands in them, and nothing may be
longer than ``LONGEST``, because the other side may be hostile. httpx-sse does neither.
"""

import re
from dataclasses import dataclass

LONGEST = 1 << 20  # bytes of one line, and of the data of one event

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class SseError(Exception):
    """The stream breaks a bound; the text says which, in words of ours."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type (``message`` unless named) and its lines of data."""

    data: str
    kind: str = "message"


@dataclass(frozen=True, slots=True)
class Comment:
    """A line that is no event."""

    text: str


class SseParser:
    """Takes bytes as they come and gives whole events; what the stream's end cuts off is lost."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._first = True
        self._after_cr = False
        self._data: list[str] = []
        self._size = 0
        self._kind = ""

    def feed(self, data: bytes) -> list[Event | Comment]:
        """What is complete now.

        Raises:
            SseError: a line or an event is too long.

        """
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        *lines, rest = _LINE_END.split(data)
        found = []
        for line in lines:
            self._extend(line)
            if item := self._take(self._whole_line()):
                found.append(item)
        self._extend(rest)
        return found

    def _extend(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > LONGEST:
            raise SseError("a line of its stream is too long")

    def _whole_line(self) -> str:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        return line.decode("utf-8", "replace")

    def _take(self, line: str) -> Event | Comment | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            return Comment(value)
        if field == "data":
            self._size += len(value)
            if self._size > LONGEST:
                raise SseError("an event of its stream is too long")
            self._data.append(value)
        elif field == "event":
            self._kind = value
        return None

    def _dispatch(self) -> Event | None:
        lines, kind = self._data, self._kind
        self._data, self._kind, self._size = [], "", 0
        return Event("\n".join(lines), kind or "message") if lines else None
