"""Runs the script at Redis: on few connections however many ask, each time within its time."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError

from xnai.resilience.redis import wire
from xnai.resilience.store import StoreAwayError, StoreReply
from xnai.resilience.tasks import end

T = TypeVar("T")
Lane = Literal["calls", "reports"]

# A connection for the scripts that calls wait for and one for reports, which are far more; Redis
# runs one after the other anyway.
_TURN_SECONDS: dict[Lane, float] = {"calls": 0.25, "reports": 10.0}  # longest wait for one's turn
_TURNS = 8  # of the event loop in which bytes that have arrived become a reply


def sha(script: str) -> str:
    """The name that Redis gives a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """The script at one client, for all breakers of a process.

    Their number decides how long the line is, never how many connections there are.
    """

    def __init__(self, client: "Redis | RedisCluster", script: str) -> None:
        self._client = client
        self._script = script
        self._sha = sha(script)
        self._lanes = {lane: asyncio.Lock() for lane in _TURN_SECONDS}
        self._lost: BaseException | None = None
        self._running: set[asyncio.Task[Any]] = set()

    async def connect(self) -> None:
        """Make the connections, which may take longer than a script may.

        Raises:
            Exception: whatever the client raises.

        """
        await asyncio.gather(*(self._client.ping() for _ in self._lanes))

    def lose(self, cause: BaseException) -> None:
        """Have everybody who stands in line go away."""
        self._lost = cause

    async def close(self) -> None:
        """End what was given up but has not ended."""
        self.lose(ConnectionError("the connection was closed"))
        await end(self._running)

    async def run(
        self, keys: tuple[str, ...], arguments: tuple[str, ...], lane: Lane, seconds: float
    ) -> StoreReply:
        """The reply, ``seconds`` after one's turn has come.

        Raises:
            StoreAwayError: the turn did not come; that says nothing about Redis.
            Exception: whatever the client raises, GarbledError and TimeoutError among it.

        """
        async with self._turn(lane):
            if self._lost is not None:
                raise StoreAwayError("the connection was lost") from self._lost
            text = await self._in_time(self._evaluate(keys, arguments), seconds)
        return wire.reply(text, time.monotonic())

    @asynccontextmanager
    async def _turn(self, lane: Lane) -> AsyncIterator[None]:
        gate = self._lanes[lane]
        try:
            await self._in_time(gate.acquire(), _TURN_SECONDS[lane])
        except TimeoutError as exc:
            raise StoreAwayError("too many wait for their turn") from exc
        try:
            yield
        finally:
            gate.release()

    async def _in_time(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """A result in time; that this process was busy is not held against Redis.

        A timer that fires late proves that nobody has looked at the socket for so long, so that
        time is given once more; and what has arrived is read before it is called late.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        task = loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                await asyncio.wait({task}, timeout=min(loop.time() - due, seconds))
            for _ in range(_TURNS):
                if task.cancelled():  # by ``close``, or by the client: it is not for us
                    raise ConnectionError("the connection was closed")
                if task.done():
                    return task.result()
                await asyncio.sleep(0)
            raise TimeoutError
        finally:
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever gave it up does not ask

    async def _evaluate(self, keys: tuple[str, ...], arguments: tuple[str, ...]) -> bytes | str:
        try:
            reply = await self._client.evalsha(self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            reply = await self._client.eval(self._script, len(keys), *keys, *arguments)
        if not isinstance(reply, bytes | str):
            raise wire.GarbledReplyError("no text")
        return reply
