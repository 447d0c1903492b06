"""Keeps the state machine of this replica and the shared store of one mind.

It talks to the state machine, which knows nothing of it: what the machine knows is read and told to
the store, and whatever the store says is applied to the machine.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from xnai.resilience.config import Config
from xnai.resilience.state_machine import StateMachine
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import Result, StoreAwayError, StoreReply, Stores
from xnai.resilience.tasks import end, supervise

_LOOK = 0.5  # seconds between two looks whether there is something to tell
_POSTS_PER_SECOND = 10
# The first calls wait for the fleet's state until the store was reached, or not reached once; an
# attempt may take so many seconds, and no call of a process that is older waits at all.
_PATIENCE = 2.5
_UNTOLD = 16  # results that are remembered
_HEARSAY = 0.1  # seconds that other replicas have to answer a question


class Replicator:
    """Posts what its replica saw, at most ten times a second, and takes over what others post.

    Subscribe, then sync, then serve: until the machine is synced calls wait a moment. It is the
    ``StoreListener`` of its store.
    """

    def __init__(
        self, config: Config, machine: StateMachine, stores: Stores, clock: Callable[[], float]
    ) -> None:
        self._config = config
        self._machine = machine
        self._clock = clock
        self._store = stores.store(machine.name, config, self)
        self._synced = asyncio.Event()
        self._wake = asyncio.Event()
        self._edge = self._asked = False
        self._pending: tuple[State, str, bool, float] | None = None
        self._untold: dict[str, tuple[Result, str]] = {}  # of probes, by their tickets
        self._posted_calls = -1
        self._posts: deque[float] = deque(maxlen=_POSTS_PER_SECOND)
        self._task: asyncio.Task[None] | None = None
        self._sync_lock = asyncio.Lock()
        machine.follow(clock(), away=self._store.away)

    def start(self) -> None:
        """Begin to post."""
        if self._task is None:
            name = f"breaker {self._machine.name}"
            self._task = asyncio.create_task(supervise(name, self._run), name=name)

    async def close(self) -> None:
        """Stop posting."""
        if self._task is not None:
            await end([self._task])

    async def ready(self) -> None:
        """Wait for the fleet's state, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._synced.wait()
        self._machine.synced(self._clock())

    # --- what the replica has to say

    def report_vote(self) -> None:
        """Let the fleet hear at once that the replica's own circuit has opened."""
        self._edge = True
        self._wake.set()

    async def acquire(self, want: int) -> StoreReply:
        """Ask for so many probes.

        Raises:
            StoreAwayError: the store cannot be asked.

        """
        return self._take(await self._store.acquire(self._known, want))

    async def renew(self, ticket: str) -> bool:
        """Go on holding a probe; a store that is away is no reason to let it go."""
        try:
            return self._take(await self._store.renew(self._known, ticket)).held
        except StoreAwayError:
            return True

    async def release(self, ticket: str, result: Result, reason: str) -> bool:
        """Tell a probe's result; False if its ticket is void.

        Raises:
            StoreAwayError: it may not have arrived, and is told again; told twice it counts once.

        """
        try:
            return self._take(await self._store.release(self._known, ticket, result, reason)).held
        except StoreAwayError:
            if len(self._untold) < _UNTOLD:
                self._untold[ticket] = (result, reason)
                self._wake.set()
            raise

    async def command(self, state: State, reason: str, *, clear: bool) -> None:
        """Put the fleet into a state, now.

        Raises:
            StoreAwayError: it is told once the store is back, with the time when it was said.

        """
        said = self._clock()
        try:
            reply = await self._store.set_state(self._known, state, reason, clear=clear)
        except StoreAwayError:
            self._pending = (state, reason, clear, said)
            raise
        self._pending = None
        self._take(reply)

    # --- what the store has to say

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take over what another replica has brought about."""
        self._machine.apply(snapshot, self._clock())

    def on_question(self) -> None:
        """Answer another replica: the store is empty, or it wants to know who else is sick."""
        self._wake.set()

    def on_moved(self) -> None:
        """Have the machine know whether the store can be asked."""
        self._machine.store_moved(self._clock(), away=self._store.away)

    def on_unreachable(self) -> None:
        """Let calls go on without a store that could not be reached."""
        self._synced.set()
        self._machine.synced(self._clock())

    async def on_connected(self) -> None:
        """Tell what is to be told and take over the fleet's state.

        Raises:
            StoreAwayError: the store cannot be asked.

        """
        async with self._sync_lock:
            await self._catch_up()
            row = self._machine.row(self._clock(), edge=self._edge, final=self._asked)
            self._posts.append(self._clock())
            reply = await self._store.post(self._known, row)
            self._posted_calls = row.calls
            self._asked = reply.asked
            if reply.asked:
                asyncio.get_running_loop().call_later(_HEARSAY, self._wake.set)
            elif row.edge:
                self._edge = False
            self._take(reply)
            if reply.empty and self._machine.unsynced:
                await asyncio.sleep(_HEARSAY)
        self._synced.set()
        self._machine.synced(self._clock())

    @property
    def _known(self) -> Snapshot:
        return self._machine.fleet

    def _take(self, reply: StoreReply) -> StoreReply:
        self._machine.apply(reply.snapshot, self._clock())
        return reply

    async def _catch_up(self) -> None:
        """Tell the store what it may have missed: results of probes, and an operator's command.

        It knows which tickets are void by now, and which commands are newer.
        """
        for ticket, (result, reason) in list(self._untold.items()):
            reply = await self._store.release(self._known, ticket, result, reason)
            self._untold.pop(ticket, None)
            self._take(reply)
        if self._pending is None:
            return
        pending = state, reason, clear, said = self._pending
        age = self._clock() - said
        reply = await self._store.set_state(self._known, state, reason, clear=clear, age=age)
        if self._pending is pending:
            self._pending = None
        self._take(reply)

    async def _run(self) -> None:
        due = self._clock() + self._pause()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._wake.wait()
            woken = self._wake.is_set()
            self._wake.clear()
            changed = self._machine.totals(self._clock()).calls != self._posted_calls
            if self._store.away or not (woken or changed or self._clock() >= due):
                continue
            await self._in_measure()
            due = self._clock() + self._pause()
            with suppress(StoreAwayError):
                await self.on_connected()

    async def _in_measure(self) -> None:
        """Wait, if there were ten posts within the last second."""
        if len(self._posts) == _POSTS_PER_SECOND:
            await asyncio.sleep(max(0.0, self._posts[0] + 1.0 - self._clock()))

    def _pause(self) -> float:
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - keeps replicas from asking in step
        return self._config.resync * spread
