"""The connection to Redis: one for scripts, one for messages, and what brings them back."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.exceptions import NoScriptError, RedisError

from xnai.resilience import wire
from xnai.resilience.address import Address, subscriber
from xnai.resilience.circuit import Circuit
from xnai.resilience.config import Config
from xnai.resilience.counts import Counts
from xnai.resilience.ending import end
from xnai.resilience.events import Listeners, Transition
from xnai.resilience.link_errors import in_words, is_of_one
from xnai.resilience.redis_store import SCRIPT, RedisStore, channel, sha
from xnai.resilience.states import State
from xnai.resilience.store import Ears, StoreAwayError

NAME = "redis"
SCRIPT_SECONDS = 0.25  # longest time of a script, whatever Redis does
_CONNECT_SECONDS = 2.0  # for all that comes before the first message: names, TLS, Sentinels
_PING_SECONDS = 2.0  # of silence after which the message connection is asked whether it lives
_STABLE_SECONDS = 0.5  # who is lost sooner has not been back
_PAUSES = Config(open_time=0.2, open_growth=2, open_longest=5.0, open_jitter=1.0)
_TROUBLE = (RedisError, OSError, TimeoutError, StoreAwayError, wire.GarbledError)

_log = structlog.get_logger(__name__)


class RedisLink:
    """``Stores`` in Redis, shared by all breakers of a process.

    It is itself a breaker: what cannot be reached is not asked again until an attempt in the
    background has succeeded, and attempts come ever later, each at a random time of its interval.

    Args:
        address: where Redis is.
        replica: the name of this process among the replicas.
        listeners: hear of the breaker ``redis``.
        script: the script, for tests.

    """

    def __init__(
        self, address: Address, replica: str, listeners: Listeners, script: str = SCRIPT
    ) -> None:
        self._address = address
        self._replica = replica
        self._tell = listeners.tell
        self._script = script
        self._sha = sha(script)
        self._ears: dict[str, list[Ears]] = {}
        self._client: Redis | RedisCluster | None = None
        self._up = self._closing = False
        self._spoilt: set[str] = set()  # keys that scripts cannot use
        self._broken = asyncio.Event()
        self._cause: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._circuit = Circuit(_PAUSES)
        self.counts = Counts()
        self.since = time.monotonic()
        self.failed_at = 0.0  # seconds since the epoch
        self.open_seconds = 0.0

    @property
    def away(self) -> bool:
        """Whether Redis cannot be asked at the moment."""
        return not self._up

    @property
    def state(self) -> State:
        """OPEN once an attempt to reach it has failed, until one succeeds."""
        return self._circuit.state

    @property
    def opens(self) -> int:
        """How many attempts have failed in a row."""
        return self._circuit.opens

    @property
    def reason(self) -> str:
        """Why it is in this state."""
        return self._circuit.reason

    @property
    def shown(self) -> str:
        """Where Redis is, without secrets."""
        return self._address.shown

    @property
    def retry_in(self) -> float | None:
        """Seconds to the next attempt to reach it."""
        if self.state is State.CLOSED:
            return None
        return max(0.0, self._circuit.until - time.monotonic())

    def store(self, name: str, config: Config, ears: Ears) -> RedisStore:
        """The store of one breaker; all must be there before ``start``."""
        assert self._task is None, "breakers are made before the link is started"
        self._ears.setdefault(channel(name), []).append(ears)
        return RedisStore(self, self._replica, name, config)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._manage(), name="redis link")

    async def close(self) -> None:
        """Close the connections."""
        self._closing = True
        if self._task is not None:
            await end([self._task])

    async def run(self, keys: tuple[str, ...], arguments: tuple[str, ...]) -> Mapping[str, Any]:
        """Run the script, in a quarter of a second or not at all.

        Raises:
            StoreAwayError: there is no usable reply.

        """
        client = self._client
        if client is None:
            self.counts.rejected += 1
            raise StoreAwayError(self.reason or "Redis is not connected yet")
        try:
            # Nobody waits for the first ones, and connections are made for them.
            async with asyncio.timeout(SCRIPT_SECONDS if self._up else _CONNECT_SECONDS):
                told = wire.parse(await self._evaluate(client, keys, arguments))
                wire.snapshot(told, 0.0)
        except _TROUBLE as exc:
            self.counts.failed += 1
            if is_of_one(exc):
                self._refused(keys[0], exc)
            else:
                self._lose(client, exc)
            raise StoreAwayError(in_words(exc, SCRIPT_SECONDS)) from exc
        self.counts.succeeded += 1
        return told

    async def _evaluate(
        self, client: Redis | RedisCluster, keys: tuple[str, ...], arguments: tuple[str, ...]
    ) -> bytes | str:
        try:
            reply = await client.evalsha(self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            reply = await client.eval(self._script, len(keys), *keys, *arguments)
        if not isinstance(reply, bytes | str):
            raise wire.GarbledError("no text")
        return reply

    def _refused(self, key: str, exc: BaseException) -> None:
        if key not in self._spoilt:
            self._spoilt.add(key)
            _log.warning("breaker_not_shared", key=key, reason=in_words(exc, SCRIPT_SECONDS))

    def _lose(self, client: Redis | RedisCluster | None, cause: BaseException) -> None:
        if self._client is client and client is not None:
            self._client, self._cause = None, cause
            self._broken.set()
            self._become(up=False)

    def _become(self, *, up: bool) -> None:
        self._up = up
        for ears in self._all_ears():
            ears.moved()

    def _all_ears(self) -> list[Ears]:
        return [ears for heard in self._ears.values() for ears in heard]

    async def _manage(self) -> None:
        while not self._closing:
            try:
                async with self._session() as hearing:
                    self._arrived()
                    arrived = time.monotonic()
                    cause = await self._lost(hearing)
                if time.monotonic() - arrived < _STABLE_SECONDS:
                    self._failed(cause)
            except _TROUBLE as exc:
                self._failed(exc)
            # What was lost just now may be there again: one attempt at once, and no word of it.
            at_once = random.uniform(0, 0.05)  # noqa: S311 - spreads attempts, no secret
            left = self._circuit.until - time.monotonic()
            await asyncio.sleep(max(0.0, left) if self.state is State.OPEN else at_once)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncio.Task[None]]:
        """Connect, subscribe, sync; the breakers use the store until the block is left."""
        self._broken.clear()
        client = self._address.client(SCRIPT_SECONDS)
        messages: PubSub | None = None
        hearing: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                if isinstance(client, RedisCluster):
                    await client.initialize()
                messages = subscriber(client)
                await self._subscribe(messages)
            hearing = asyncio.create_task(self._hear_all(messages), name="redis messages")
            self._client, self._cause = client, None
            backs = [ears.back() for ears in self._all_ears()]
            ends = await asyncio.gather(*backs, return_exceptions=True)
            if self._client is not client:
                raise next((exc for exc in ends if exc), ConnectionError())
            yield hearing
        finally:
            if self._client is client:
                self._client = None
                self._become(up=False)
            if hearing is not None:
                await end([hearing])
            await _close(messages, client)

    async def _subscribe(self, messages: PubSub) -> None:
        if not self._ears:
            return
        await messages.subscribe(*self._ears)
        missing = len(self._ears)
        while missing:
            message = await messages.get_message(timeout=2 * SCRIPT_SECONDS)
            if message is None:
                raise TimeoutError
            missing -= message["type"] == "subscribe"
            self._hear(message)

    async def _lost(self, hearing: asyncio.Task[None]) -> BaseException:
        """Wait until messages end or a script fails; returns why."""
        broken = asyncio.create_task(self._broken.wait())
        try:
            await asyncio.wait({hearing, broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([broken])
        ended = hearing.exception() if hearing.done() and not hearing.cancelled() else None
        return self._cause or ended or ConnectionError("the connection was lost")

    async def _hear_all(self, messages: PubSub) -> None:
        if not self._ears:
            await asyncio.Event().wait()
        asked = False
        while True:
            message = await messages.get_message(timeout=_PING_SECONDS)
            if message is not None:
                asked = False
                self._hear(message)
            elif asked:
                raise ConnectionError("the message connection is silent")
            else:
                asked = True
                await messages.ping()

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] != "message":
            return
        name = message["channel"]
        heard = self._ears.get(name.decode() if isinstance(name, bytes) else name, ())
        try:
            told = wire.parse(message["data"])
            if "hello" in told:
                if told["hello"] != self._replica:
                    for ears in heard:
                        ears.question()
                return
            snapshot = wire.snapshot(told, time.monotonic())
        except wire.GarbledError as exc:
            _log.warning("breaker_message_garbled", channel=wire.printable(name), reason=str(exc))
            return
        for ears in heard:
            ears.snapshot(snapshot)

    def _failed(self, cause: BaseException) -> None:
        reason = in_words(cause, SCRIPT_SECONDS)
        was = self.state
        self.failed_at = time.time()
        self._circuit.open(time.monotonic(), reason)
        if was is State.CLOSED:
            self._say(was, State.OPEN, reason)

    def _arrived(self) -> None:
        was = self.state
        reason = f"{self._address.shown} answers"
        self._circuit.close(reason)
        self._become(up=True)
        if was is not State.CLOSED:
            self._say(was, State.CLOSED, reason)

    def _say(self, old: State, new: State, reason: str) -> None:
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        if old is State.OPEN:
            self.open_seconds += seconds
        self._tell(
            Transition(
                NAME, old, new, "replica", self._circuit.epoch, reason, seconds, self.retry_in
            )
        )


async def _close(messages: PubSub | None, client: "Redis | RedisCluster") -> None:
    closing: list[Callable[[], Any]] = [client.aclose]
    if messages is not None:
        closing.insert(0, messages.aclose)
    for close in closing:
        with suppress(*_TROUBLE):
            async with asyncio.timeout(SCRIPT_SECONDS):
                await close()
