"""Rows above the input field, one for each file that is being read; see public/page/files.js."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

ROWS = "xnai:files"
_INTERVAL = 0.2  # seconds between two messages; faster ones cannot be read


@dataclass(slots=True)
class FileRow:
    """A file: what is being done with it, and the id of its document as soon as there is one.

    ``share`` are per cent, None while nothing can be said of it; of one that failed ``words`` are
    the reason, and ``again`` says whether the document can be tried again. ``new`` is one that goes
    if its file is taken back.
    """

    name: str
    words: str
    document: str = ""
    share: int | None = None
    state: Literal["waiting", "reading", "failed", "read"] = "waiting"
    again: bool = False
    new: bool = False


class FileRows:
    """The rows of one message; those that were read are gone when all have ended.

    Args:
        rows: in their order.
        emit: that of the session whose page shows them.

    """

    def __init__(self, rows: list[FileRow], emit: Callable[[str, Any], Any]) -> None:
        self.rows = rows
        self._emit: Callable[[str, Any], Awaitable[Any]] = emit
        self._told = 0.0

    async def tell(self, *, now: bool = True) -> None:
        """Tell the page, unless that was done a moment ago."""
        moment = time.monotonic()
        if not now and moment - self._told < _INTERVAL:
            return
        self._told = moment
        await self._send(self.rows)

    async def end(self) -> None:
        """Leave the rows of those that failed."""
        await self._send([row for row in self.rows if row.state == "failed"])

    async def _send(self, rows: list[FileRow]) -> None:
        told = [asdict(row) for row in rows]
        await self._emit("window_message", {"type": ROWS, "rows": told})
