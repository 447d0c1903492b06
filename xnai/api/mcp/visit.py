"""One request of an agent: for whom it is served, and whether anybody still waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.types import Message

from xnai.accounts import Principal

VISIT = "xnai.mcp"  # key in the ASGI scope

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Visit:
    """What a tool knows of the request that called it.

    ``gone`` is set when the connection that waits for the result has ended.
    """

    caller: Principal
    request_id: str
    reader: str = ""  # the language of the client, one of ``xnai.locale.LANGUAGES`` or empty
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        """Wait until nobody waits any more, as ASGI tells it."""
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def untold(_: str) -> None:
    """Tell nobody how far a tool is."""
