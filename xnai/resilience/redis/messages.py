"""The connection on which Redis tells what has changed."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster

from xnai.resilience.redis.address import subscriber

_PING_SECONDS = 2.0  # of silence after which the connection is asked whether it lives


class Messages:
    """Subscriptions of one client.

    Args:
        client: the connection is one of its.
        take: gets a channel's name and what was published there.

    """

    def __init__(
        self, client: "Redis | RedisCluster", take: Callable[[str, str | bytes], None]
    ) -> None:
        self._take = take
        self._messages = subscriber(client)
        self._subscribed = asyncio.Event()

    async def subscribe(self, names: Collection[str]) -> None:
        """Subscribe to several channels and wait until all are confirmed.

        Raises:
            TimeoutError: they are not.

        """
        if not names:
            return
        await self._messages.subscribe(*names)
        missing = len(names)
        while missing:
            message = await self._messages.get_message(timeout=_PING_SECONDS)
            if message is None:
                raise TimeoutError
            missing -= message["type"] == "subscribe"
            self._pass_on(message)
        self._subscribed.set()

    async def add(self, name: str) -> None:
        """Subscribe to one more while ``hear`` runs, which sees the confirmation."""
        await self._messages.subscribe(name)
        self._subscribed.set()

    async def hear(self) -> None:
        """Pass messages on until the connection ends.

        Raises:
            Exception: how it ended.

        """
        await self._subscribed.wait()
        asked = False
        while True:
            message = await self._messages.get_message(timeout=_PING_SECONDS)
            if message is not None:
                asked = False
                self._pass_on(message)
            elif asked:
                raise ConnectionError("the message connection is silent")
            else:
                asked = True
                await self._messages.ping()

    async def close(self) -> None:
        """Close the connection."""
        await self._messages.aclose()  # type: ignore[no-untyped-call]

    def _pass_on(self, message: Mapping[str, Any]) -> None:
        if message["type"] != "message":
            return
        name = message["channel"]
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        self._take(text, message["data"])
