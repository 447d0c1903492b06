r"""Who is read next, and whose passages are embedded next; no input, output or clock in here.

Both are start-time fair queueing (Goyal, Vin and Cheng, 1996): what an owner has used is measured
after the fact, so that a small file which takes all the time it is allowed counts as what it took
and not as what it seemed. Who comes anew, or again, starts level with whoever has used least: being
away saves nothing up.

A ticket:  waiting --begin--> running --remove--> over
              \------------remove-------------->/
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

SHORT_SECONDS = 2.0  # that a document is expected to take at most, to count as a short one
_REMEMBERED = 1024  # owners that are away and have used more than others

Fits = Callable[["ReadingTicket"], bool]
Rank = tuple[int, float, float, int]


@dataclass(eq=False, slots=True)
class ReadingTicket:
    """A wish for a turn; ``expected`` seconds and ``memory`` bytes are guesses, made beforehand."""

    owner: str
    document: str = ""
    expected: float = 0.0
    memory: int = 0
    arrived: float = 0.0
    number: int = 0
    began: float | None = None
    is_over: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it seems to be done in no time."""
        return self.expected <= SHORT_SECONDS


class ServiceShares:
    """What each of those who take part has under way, and the seconds it has used."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}
        self._present: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._floor = 0.0  # what newcomers start with; never falls

    def __len__(self) -> int:
        """How many are known, those that are away included."""
        return len(self._used)

    def enter(self, name: str) -> None:
        """Take part once more; ``leave`` must follow."""
        if not self._present[name]:
            self._used[name] = max(self._used.get(name, 0.0), self._rise())
        self._present[name] += 1

    def leave(self, name: str) -> None:
        """Take part once less; what was used beyond the others is remembered."""
        self._rise()
        self._present[name] -= 1
        if not self._present[name]:
            del self._present[name]
            if self._used[name] <= self._floor:
                del self._used[name]
            elif len(self._used) > len(self._present) + 2 * _REMEMBERED:
                self._forget()

    def begin(self, name: str) -> None:
        """Have one more under way; ``end`` must follow, and both before ``leave``."""
        self._under_way[name] += 1

    def end(self, name: str) -> None:
        """Have one less under way."""
        self._under_way[name] -= 1
        if not self._under_way[name]:
            del self._under_way[name]

    def charge(self, name: str, seconds: float) -> None:
        """Note what somebody who takes part has used."""
        self._used[name] += seconds

    def charge_all(self, seconds: float) -> None:
        """Note that everything under way went on for so long."""
        for name, count in self._under_way.items():
            self._used[name] += seconds * count

    def under_way(self, name: str) -> int:
        """How much somebody has under way."""
        return self._under_way[name]

    def rank(self, name: str) -> tuple[int, float]:
        """Less is: whose turn it is first."""
        return self._under_way[name], self._used[name]

    def _rise(self) -> float:
        if self._present:
            self._floor = max(self._floor, min(self._used[name] for name in self._present))
        return self._floor

    def _forget(self) -> None:
        away = [name for name in self._used if name not in self._present]
        away.sort(key=self._used.__getitem__)
        for name in away[: len(away) - _REMEMBERED]:
            del self._used[name]


@dataclass(slots=True)
class _Lane:
    """One owner's waiting documents of one kind, by the moment they could be done if alone."""

    heap: list[tuple[float, int, ReadingTicket]] = field(default_factory=list)

    def push(self, ticket: ReadingTicket) -> None:
        heapq.heappush(self.heap, (ticket.arrived + ticket.expected, ticket.number, ticket))

    def head(self) -> ReadingTicket | None:
        while self.heap and (self.heap[0][2].is_over or self.heap[0][2].began is not None):
            heapq.heappop(self.heap)
        return self.heap[0][2] if self.heap else None


class ReadingQueue:
    """Which documents are read at the same time.

    ``slots`` of them ordinarily. Beyond, up to ``most``: who has none being read may begin one at
    once, and everybody one short one beside their long ones. Nobody has the last place alone, so
    that whatever one has given to read, there is one for another.

    A free slot goes to the owner with the fewest documents being read, among those to who has used
    least. Of one owner's documents the short ones go first, but none is passed by those that come
    later than it would have been done.
    """

    def __init__(self, slots: int, most: int) -> None:
        self._slots = slots
        self._most = most
        self._numbers = 0
        self._lanes: dict[str, tuple[_Lane, _Lane]] = {}  # short and long ones of an owner
        self._running: dict[ReadingTicket, None] = {}
        self._short_of: Counter[str] = Counter()
        self._shares = ServiceShares()
        self._settled_at = 0.0

    @property
    def running(self) -> list[ReadingTicket]:
        """Those that have their turn."""
        return list(self._running)

    def add(self, ticket: ReadingTicket, now: float) -> None:
        """Take a wish; ``remove`` must follow."""
        self._settle(now)
        self._numbers += 1
        ticket.arrived, ticket.number = now, self._numbers
        lanes = self._lanes.setdefault(ticket.owner, (_Lane(), _Lane()))
        lanes[not ticket.is_short].push(ticket)
        self._shares.enter(ticket.owner)

    def remove(self, ticket: ReadingTicket, now: float) -> None:
        """End a turn, or the wait for it; a second time does nothing."""
        if ticket.is_over:
            return
        self._settle(now)
        ticket.is_over = True
        if ticket in self._running:
            del self._running[ticket]
            self._shares.end(ticket.owner)
            self._short_of[ticket.owner] -= ticket.is_short
            if not self._short_of[ticket.owner]:
                del self._short_of[ticket.owner]
        self._shares.leave(ticket.owner)
        self._tidy(ticket.owner)

    def begin(self, now: float, fits: Fits = lambda _: True) -> list[ReadingTicket]:
        """Give out what places there are; returns those whose turn it is from now on.

        ``fits``: whether there is memory for one more; asked unless nothing is being read.
        """
        self._settle(now)
        begun: list[ReadingTicket] = []
        too_large: set[ReadingTicket] = set()
        while len(self._running) < self._most:
            ticket = self._next(too_large)
            if ticket is None:
                break
            if self._running and not fits(ticket):
                too_large.add(ticket)
                continue
            ticket.began = now
            self._running[ticket] = None
            self._shares.begin(ticket.owner)
            self._short_of[ticket.owner] += ticket.is_short
            self._tidy(ticket.owner)
            begun.append(ticket)
        return begun

    def _next(self, without: set[ReadingTicket]) -> ReadingTicket | None:
        best: tuple[Rank, ReadingTicket] | None = None
        for owner, lanes in self._lanes.items():
            heads = [head for lane in lanes if (head := lane.head()) and head not in without]
            allowed = [head for head in heads if self._may_begin(head)]
            if not allowed:
                continue
            head = min(allowed, key=lambda head: (head.arrived + head.expected, head.number))
            rank = (*self._shares.rank(owner), head.arrived + head.expected, head.number)
            if best is None or rank < best[0]:
                best = rank, head
        return best[1] if best else None

    def _may_begin(self, ticket: ReadingTicket) -> bool:
        owned = self._shares.under_way(ticket.owner)
        if self._most > 1 and owned >= self._most - 1:
            return False
        beside = ticket.is_short and not self._short_of[ticket.owner]
        return len(self._running) < self._slots or not owned or beside

    def _tidy(self, owner: str) -> None:
        lanes = self._lanes.get(owner)
        if lanes is not None and not any(lane.head() for lane in lanes):
            del self._lanes[owner]

    def _settle(self, now: float) -> None:
        """Charge every owner for what was being read since the last time."""
        self._shares.charge_all(max(0.0, now - self._settled_at))
        self._settled_at = now


class BatchQueue:
    """Whose batch is embedded next, ``at_once`` of them at the same time.

    It goes to the owner who has fewest under way, among those to who has used least; and so among
    the documents of one owner.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._numbers = 0
        self._waiting: dict[ReadingTicket, None] = {}
        self._running: dict[ReadingTicket, None] = {}
        self._owners = ServiceShares()
        self._documents = ServiceShares()

    @property
    def running(self) -> list[ReadingTicket]:
        """Those under way."""
        return list(self._running)

    def add(self, ticket: ReadingTicket, now: float) -> None:
        """Take a batch; ``remove`` must follow."""
        self._numbers += 1
        ticket.arrived, ticket.number = now, self._numbers
        self._waiting[ticket] = None
        for shares, name in self._levels(ticket):
            shares.enter(name)

    def remove(self, ticket: ReadingTicket, now: float) -> None:
        """End a batch, or the wait for it; a second time does nothing."""
        if ticket.is_over:
            return
        ticket.is_over = True
        self._waiting.pop(ticket, None)
        if ticket.began is not None:
            del self._running[ticket]
            seconds = max(0.0, now - ticket.began)
            for shares, name in self._levels(ticket):
                shares.end(name)
                shares.charge(name, seconds)
        for shares, name in self._levels(ticket):
            shares.leave(name)

    def begin(self, now: float, fits: Fits = lambda _: True) -> list[ReadingTicket]:
        """Give out what places there are; returns those that are to be embedded now."""
        begun: list[ReadingTicket] = []
        while len(self._running) < self._at_once:
            ticket = min(filter(fits, self._waiting), key=self._rank, default=None)
            if ticket is None:
                break
            del self._waiting[ticket]
            ticket.began = now
            self._running[ticket] = None
            for shares, name in self._levels(ticket):
                shares.begin(name)
            begun.append(ticket)
        return begun

    def _levels(
        self, ticket: ReadingTicket
    ) -> tuple[tuple[ServiceShares, str], tuple[ServiceShares, str]]:
        return (self._owners, ticket.owner), (self._documents, ticket.document)

    def _rank(self, ticket: ReadingTicket) -> tuple[int, float, int, float, int]:
        owner, document = (shares.rank(name) for shares, name in self._levels(ticket))
        return (*owner, *document, ticket.number)
