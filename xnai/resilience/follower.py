"""Keeps one breaker of this replica and the shared store of one mind."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from xnai.resilience.config import Config
from xnai.resilience.ending import end
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import Ears, StoreAwayError, Stores

if TYPE_CHECKING:
    from xnai.resilience.judge import Judge

_LOOK = 0.5  # seconds between two looks whether there is something to tell
_POSTS_PER_SECOND = 10
_PATIENCE = 0.25  # seconds that the first calls wait for the fleet's state
_HEARSAY = 0.1  # seconds that other replicas have to answer a question


class Follower:
    """Posts what its replica saw, at most ten times a second, and takes over what others post.

    Subscribe, then sync, then serve: until ``unsynced`` is False calls wait a moment.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        judge: "Judge",
        stores: Stores,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._config = config
        self._judge = judge
        self._clock = clock
        ears = Ears(judge.apply, self._answer, self.sync, judge.resettle)
        self.store = stores.store(name, config, ears)
        self.unsynced = True
        self._synced = asyncio.Event()
        self._wake = asyncio.Event()
        self._edge = self._asked = False
        self._pending: tuple[State, str, bool] | None = None
        self._posted_calls = -1
        self._posts: deque[float] = deque(maxlen=_POSTS_PER_SECOND)
        self._task: asyncio.Task[None] | None = None
        self._sync_lock = asyncio.Lock()

    def start(self) -> None:
        """Begin to post."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"breaker {self._name}")

    async def close(self) -> None:
        """Stop posting."""
        if self._task is not None:
            await end([self._task])

    async def ready(self) -> None:
        """Wait for the fleet's state, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._synced.wait()
        self._serve()

    def voted(self) -> None:
        """The replica's own circuit has opened: the fleet must hear of it at once."""
        self._edge = True
        self._wake.set()

    def postpone(self, state: State, reason: str, *, clear: bool) -> None:
        """Remember an operator's command until the store is back."""
        self._pending = (state, reason, clear)

    async def set_state(
        self, known: Snapshot, state: State, reason: str, *, clear: bool
    ) -> Snapshot:
        """Put the fleet into a state."""
        reply = await self.store.set_state(known, state, reason, clear=clear)
        self._pending = None
        return reply.snapshot

    async def renew(self, known: Snapshot, ticket: str) -> bool:
        """Go on holding a probe; a store that is away is no reason to let it go."""
        try:
            reply = await self.store.renew(known, ticket)
        except StoreAwayError:
            return True
        self._judge.apply(reply.snapshot)
        return reply.held

    async def sync(self) -> None:
        """Tell what is to be told and take over the fleet's state.

        Raises:
            StoreAwayError: the store cannot be asked.

        """
        async with self._sync_lock:
            if self._pending is not None:
                state, reason, clear = self._pending
                self._judge.apply(
                    await self.set_state(self._judge.fleet, state, reason, clear=clear)
                )
            row = self._judge.row(edge=self._edge, final=self._asked)
            self._posts.append(self._clock())
            reply = await self.store.post(self._judge.fleet, row)
            self._posted_calls = row.calls
            self._asked = reply.asked
            if reply.asked:
                asyncio.get_running_loop().call_later(_HEARSAY, self._wake.set)
            elif row.edge:
                self._edge = False
            self._judge.apply(reply.snapshot)
            if reply.empty and self.unsynced:
                await asyncio.sleep(_HEARSAY)
        self._synced.set()
        self._serve()

    def _serve(self) -> None:
        if self.unsynced:
            self.unsynced = False
            self._judge.resettle()

    def _answer(self) -> None:
        """Another replica asks: because the store is empty, or to know who else is sick."""
        self._wake.set()

    async def _run(self) -> None:
        due = self._clock() + self._pause()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._wake.wait()
            woken = self._wake.is_set()
            self._wake.clear()
            changed = self._judge.totals().calls != self._posted_calls
            if self.store.away or not (woken or changed or self._clock() >= due):
                continue
            await self._in_measure()
            due = self._clock() + self._pause()
            with suppress(StoreAwayError):
                await self.sync()

    async def _in_measure(self) -> None:
        """Wait, if there were ten posts within the last second."""
        if len(self._posts) == _POSTS_PER_SECOND:
            await asyncio.sleep(max(0.0, self._posts[0] + 1.0 - self._clock()))

    def _pause(self) -> float:
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - keeps replicas from asking in step
        return self._config.resync * spread
