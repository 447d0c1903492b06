"""One connection to Redis: scripts run and messages are heard, until either is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from redis.asyncio import RedisCluster

from xnai.resilience.redis.address import Address
from xnai.resilience.redis.messages import Messages
from xnai.resilience.redis.scripts import Scripts
from xnai.resilience.tasks import end

SCRIPT_SECONDS = 0.25  # longest time of a script, whatever Redis does
CONNECT_SECONDS = 2.0  # for all that comes before the first message: names, TLS, Sentinels

Late = tuple[str, Callable[[], Awaitable[None]]]  # a channel, and what to do once it is subscribed


class Session:
    """A client and what it does for us.

    Args:
        address: where Redis is.
        script: that the breakers run.
        hear: gets a channel's name and what was published there.

    """

    def __init__(
        self, address: Address, script: str, hear: Callable[[str, str | bytes], None]
    ) -> None:
        self._client = address.client(4 * SCRIPT_SECONDS)  # what ends a script is its own limit
        self.scripts = Scripts(self._client, script)
        self._hear = hear
        self._messages: Messages | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken = asyncio.Event()
        self.cause: BaseException | None = None

    async def connect(self, channels: Collection[str]) -> None:
        """Connect and subscribe, in time.

        Raises:
            Exception: whatever the client raises, TimeoutError among it.

        """
        async with asyncio.timeout(CONNECT_SECONDS):
            if isinstance(self._client, RedisCluster):
                await self._client.initialize()
            self._messages = Messages(self._client, self._hear)
            await asyncio.gather(self._messages.subscribe(tuple(channels)), self.scripts.connect())
        self._tasks.add(asyncio.create_task(self._messages.hear(), name="redis messages"))

    def serve(self, channels: "asyncio.Queue[Late]") -> None:
        """Subscribe to channels that come later, too."""
        work = self._subscribe_later(channels)
        self._tasks.add(asyncio.create_task(work, name="redis late breakers"))

    def lose(self, cause: BaseException) -> None:
        """Note that a script has failed, and have everybody who stands in line go away."""
        self.scripts.lose(cause)
        self.cause = self.cause or cause
        self._broken.set()

    async def lost(self) -> BaseException:
        """Wait until messages end or a script fails; returns why."""
        broken = asyncio.create_task(self._broken.wait())
        try:
            await asyncio.wait({*self._tasks, broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([broken])
        over = [task for task in self._tasks if task.done() and not task.cancelled()]
        ended = next((task.exception() for task in over), None)
        return self.cause or ended or ConnectionError("the connection was lost")

    async def close(self) -> None:
        """Close what is open, in time."""
        await end(self._tasks)
        closing: list[Callable[[], Any]] = [self.scripts.close, self._client.aclose]
        if self._messages is not None:
            closing.insert(0, self._messages.close)
        for close in closing:
            with suppress(Exception):
                async with asyncio.timeout(SCRIPT_SECONDS):
                    await close()

    async def _subscribe_later(self, channels: "asyncio.Queue[Late]") -> None:
        assert self._messages is not None
        while True:
            name, then = await channels.get()
            await self._messages.add(name)
            await then()
