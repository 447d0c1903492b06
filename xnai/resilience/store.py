"""What a breaker asks of the store that its replicas share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from xnai.resilience.config import Config
from xnai.resilience.states import Snapshot, State

Result = Literal["succeeded", "failed", "returned"]


class StoreAwayError(Exception):
    """The store cannot be reached, or not changed; the words say why."""


@dataclass(frozen=True, slots=True)
class Row:
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
class Reply:
    """What an operation found; ``ticket`` is "" if none was given, ``held`` False if it is void.

    ``empty``: the store knew nothing of this breaker. ``asked``: the others were asked, and the
    row is to be posted once more.
    """

    snapshot: Snapshot
    ticket: str = ""
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

    async def post(self, known: Snapshot, row: Row) -> Reply:
        """Tell what this replica saw, and learn the fleet's state."""
        ...

    async def acquire(self, known: Snapshot) -> Reply:
        """Ask for a probe."""
        ...

    async def renew(self, known: Snapshot, ticket: str) -> Reply:
        """Go on holding a probe."""
        ...

    async def release(self, known: Snapshot, ticket: str, result: Result, reason: str) -> Reply:
        """Give a probe back with its result."""
        ...

    async def set_state(
        self, known: Snapshot, state: State, reason: str, *, clear: bool = False
    ) -> Reply:
        """Put the fleet into a state; ``clear`` forgets what the replicas saw."""
        ...


@dataclass(frozen=True, slots=True)
class Ears:
    """What a breaker wants to hear from its store.

    ``snapshot``: the fleet's state changed. ``question``: a replica found the store empty and asks
    who knows more. ``back``: the store can be reached again; it is served once all have returned.
    ``moved``: it came back or was lost.
    """

    snapshot: Callable[[Snapshot], None]
    question: Callable[[], None]
    back: Callable[[], Awaitable[None]]
    moved: Callable[[], None]


class Stores(Protocol):
    """Where breakers get their stores from."""

    def store(self, name: str, config: Config, ears: Ears) -> Store:
        """The store of one breaker."""
        ...
