"""The link to Redis: few connections for scripts, one for messages, and what brings them back."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from xnai.resilience.circuit import Circuit
from xnai.resilience.config import Config
from xnai.resilience.events import Listeners, Transition
from xnai.resilience.redis import wire
from xnai.resilience.redis.address import Address
from xnai.resilience.redis.errors import classify, in_words
from xnai.resilience.redis.scripts import Lane
from xnai.resilience.redis.session import CONNECT_SECONDS, SCRIPT_SECONDS, Late, Session
from xnai.resilience.redis.store import SCRIPT, RedisStore, channel
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import StoreAwayError, StoreListener, StoreReply
from xnai.resilience.tasks import end, supervise
from xnai.resilience.window import CallCounts

NAME = "redis"
_STABLE_SECONDS = 0.5  # who is lost sooner has not been back
_UNSAID_SECONDS = 0.5  # after which a loss is told, though the attempt to mend it goes on
_PAUSES = Config(open_time=0.2, open_growth=2, open_longest=5.0, open_jitter=1.0)

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
        self._listeners: dict[str, list[StoreListener]] = {}  # by their channels
        self._session: Session | None = None  # that scripts can be run in
        self._late: asyncio.Queue[Late] = asyncio.Queue()
        self._up = self._closing = False
        self._spoilt: set[str] = set()  # keys that scripts cannot use
        self._task: asyncio.Task[None] | None = None
        self._circuit = Circuit(_PAUSES)
        self.counts = CallCounts()
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

    def store(self, name: str, config: Config, listener: StoreListener) -> RedisStore:
        """The store of one breaker; one that comes after ``start`` is taken in by the session."""
        self._listeners.setdefault(channel(name), []).append(listener)
        if self._task is not None:
            self._late.put_nowait((channel(name), partial(_connect, listener)))
        return RedisStore(self, self._replica, name, config)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._task is None:
            work = supervise("redis link", self._manage)
            self._task = asyncio.create_task(work, name="redis link")

    async def close(self) -> None:
        """Close the connections."""
        self._closing = True
        if self._task is not None:
            await end([self._task])

    async def run(
        self, keys: tuple[str, ...], arguments: tuple[str, ...], lane: Lane = "calls"
    ) -> StoreReply:
        """Run the script, in a quarter of a second or not at all.

        Raises:
            StoreAwayError: there is no usable reply; nothing else is raised, whatever the client,
                the server or what stands between them do.

        """
        session = self._session
        if session is None:
            self.counts.rejected += 1
            raise StoreAwayError(self.reason or "Redis is not connected yet")
        # Nobody waits for the first ones, and connections are made for them.
        seconds = SCRIPT_SECONDS if self._up else CONNECT_SECONDS
        try:
            reply = await session.scripts.run(keys, arguments, lane, seconds)
        except StoreAwayError:
            self.counts.rejected += 1
            raise
        except Exception as exc:
            self.counts.failed += 1
            trouble = classify(exc, SCRIPT_SECONDS)
            if trouble.concerns == "key":
                self._refused(keys[0], trouble.words)
            else:
                self._lose(session, exc)
            raise StoreAwayError(trouble.words) from exc
        self.counts.succeeded += 1
        self._spoilt.discard(keys[0])
        return reply

    def _refused(self, key: str, reason: str) -> None:
        if key not in self._spoilt:
            self._spoilt.add(key)
            _log.warning("breaker_not_shared", key=key, reason=reason)

    def _lose(self, session: Session, cause: BaseException) -> None:
        session.lose(cause)
        if self._session is session:
            self._session = None
            self._become(up=False)

    def _become(self, *, up: bool) -> None:
        self._up = up
        for listener in self._all_listeners():
            listener.on_moved()

    def _all_listeners(self) -> list[StoreListener]:
        return [one for listeners in self._listeners.values() for one in listeners]

    async def _manage(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing:
            try:
                async with self._connected() as session:
                    self._arrived()
                    arrived = time.monotonic()
                    cause = await session.lost()
                    loop.call_later(_UNSAID_SECONDS, self._still_lost, cause)
                if time.monotonic() - arrived < _STABLE_SECONDS:
                    self._failed(cause)
            except Exception as exc:  # noqa: BLE001 - whatever it is, Redis is of no use
                self._failed(exc)
            # What was lost just now may be there again: one attempt at once, and no word of it.
            at_once = random.uniform(0, 0.05)  # noqa: S311 - spreads attempts, no secret
            left = self._circuit.until - time.monotonic()
            await asyncio.sleep(max(0.0, left) if self.state is State.OPEN else at_once)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Session]:
        """Connect, subscribe, sync; the breakers use the store until the block is left."""
        self._late = asyncio.Queue()
        session = Session(self._address, self._script, self._hear)
        try:
            await session.connect(self._listeners)
            session.serve(self._late)
            self._session = session
            syncs = [listener.on_connected() for listener in self._all_listeners()]
            ends = await asyncio.gather(*syncs, return_exceptions=True)
            if self._session is not session:
                raise session.cause or next((exc for exc in ends if exc), ConnectionError())
            yield session
        finally:
            if self._session is session:
                self._session = None
                self._become(up=False)
            await session.close()

    def _hear(self, name: str, data: str | bytes) -> None:
        try:
            heard = wire.message(data, time.monotonic())
        except wire.GarbledReplyError as exc:
            _log.warning("breaker_message_garbled", channel=wire.printable(name), reason=str(exc))
            return
        for listener in self._listeners.get(name, ()):
            if isinstance(heard, Snapshot):
                listener.on_snapshot(heard)
            elif heard.replica != self._replica:
                listener.on_question()

    def _failed(self, cause: BaseException) -> None:
        reason = in_words(cause, SCRIPT_SECONDS)
        was = self.state
        self.failed_at = time.time()
        self._circuit.open(time.monotonic(), reason)
        for listener in self._all_listeners():
            listener.on_unreachable()
        if was is State.CLOSED:
            self._say(was, State.OPEN, reason)

    def _still_lost(self, cause: BaseException) -> None:
        if self.state is State.CLOSED and not self._up and not self._closing:
            self._failed(cause)

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


async def _connect(listener: StoreListener) -> None:
    with suppress(StoreAwayError):
        await listener.on_connected()
