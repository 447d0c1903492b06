"""What a breaker asks of the store that its replicas share."""

from dataclasses import dataclass
from typing import Literal, Protocol

from xnai.resilience.config import Config
from xnai.resilience.states import Snapshot, State

Result = Literal["succeeded", "failed", "returned"]


class StoreAwayError(Exception):
    """The store cannot be reached, or not changed; the words say why."""


@dataclass(frozen=True, slots=True)
class StoredBreaker:
    """What a replica saw of an epoch within the window: totals, so that a lost reply is harmless.

    ``running`` calls have not ended. ``vote``: its own circuit is not closed; ``edge``: since the
    last row that arrived; ``final``: the others were asked before.
    """

    epoch: int
    calls: int = 0
    failures: int = 0
    slow: int = 0
    running: int = 0
    vote: bool = False
    edge: bool = False
    final: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoreReply:
    """What an operation found; ``tickets`` that were given, ``held`` False if one is void.

    ``empty``: the store knew nothing of this breaker. ``asked``: the others were asked, and the
    row is to be posted once more.
    """

    snapshot: Snapshot
    tickets: tuple[str, ...] = ()
    held: bool = False
    empty: bool = False
    asked: bool = False


class Store(Protocol):
    """One breaker in the shared store; every method may raise ``StoreAwayError``.

    ``known`` is the caller's snapshot, with which a store that lost its memory is seeded.
    """

    @property
    def away(self) -> bool:
        """Whether it cannot be asked at the moment."""
        ...

    async def post(self, known: Snapshot, row: StoredBreaker) -> StoreReply:
        """Tell what this replica saw, and learn the fleet's state."""
        ...

    async def acquire(self, known: Snapshot, want: int) -> StoreReply:
        """Ask for so many probes."""
        ...

    async def renew(self, known: Snapshot, ticket: str) -> StoreReply:
        """Go on holding a probe."""
        ...

    async def release(
        self, known: Snapshot, ticket: str, result: Result, reason: str
    ) -> StoreReply:
        """Give a probe back with its result."""
        ...

    async def set_state(
        self, known: Snapshot, state: State, reason: str, *, clear: bool = False, age: float = 0.0
    ) -> StoreReply:
        """Put the fleet into a state; ``clear`` forgets what the replicas saw.

        ``age``: seconds since an operator said so. What another has said since then holds.
        """
        ...


class StoreListener(Protocol):
    """Who hears what happens at the store."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take note of the fleet's state, which has changed."""
        ...

    def on_question(self) -> None:
        """Tell what one knows: a replica found the store empty, or wants to know who is sick."""
        ...

    async def on_connected(self) -> None:
        """Sync with a store that can be reached again; it is served once all have returned."""
        ...

    def on_moved(self) -> None:
        """Take note that the store came back or was lost."""
        ...

    def on_unreachable(self) -> None:
        """Take note that an attempt to reach it has failed."""
        ...


class Stores(Protocol):
    """Where breakers get their stores from."""

    def store(self, name: str, config: Config, listener: StoreListener) -> Store:
        """The store of one breaker."""
        ...
