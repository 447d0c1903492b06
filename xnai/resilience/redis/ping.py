"""Whether Redis can be reached, asked once and in time, for operators."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from xnai.resilience.redis.address import parse_address
from xnai.resilience.redis.errors import in_words

_PINGS = 5


class NoAnswerError(Exception):
    """Redis cannot be asked; the text says why, in words of our own."""


@dataclass(frozen=True, slots=True)
class Pong:
    """``shown`` is the address without secrets; ``seconds`` is the quickest of a few pings."""

    shown: str
    version: str
    seconds: float


async def ping(url: str, seconds: float) -> Pong:
    """Connect and ask, within so many seconds.

    Raises:
        ValueError: the address is none.
        NoAnswerError: it cannot be reached or used.

    """
    address = parse_address(url)
    client = address.client(seconds)
    try:
        async with asyncio.timeout(seconds):
            took = [await _timed(client) for _ in range(_PINGS)]
            told = await client.info("server")
    except (RedisError, OSError, TimeoutError) as exc:
        raise NoAnswerError(f"{address.shown}: {in_words(exc, seconds)}") from exc
    finally:
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(1):
                await client.aclose()
    return Pong(address.shown, _version(told), min(took))


async def _timed(client: Any) -> float:
    began = time.monotonic()
    await client.ping()
    return time.monotonic() - began


def _version(told: object) -> str:
    """The server's name and version; of a cluster that of its first node."""
    rows = told if isinstance(told, Mapping) else {}
    if rows and all(isinstance(row, Mapping) for row in rows.values()):
        rows = next(iter(rows.values()))
    name = "Valkey" if rows.get("server_name") == "valkey" else "Redis"
    number = str(rows.get("valkey_version") or rows.get("redis_version") or "of unknown version")
    return f"{name} {number[:20]}"
