"""Who is answered next: a bounded queue, fair between users, with several answers at once.

A free place goes to the user with the fewest answers under way, among those to the one who was
served longest ago; a newcomer counts as served just before whoever was served last, so that
neither a busy user nor a stream of newcomers can keep anybody waiting for ever. Of one user's
requests the first come is the first served.
"""

import asyncio
import contextlib
import heapq
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from xnai.errors import QUEUE_FULL, SHUTTING_DOWN, XnaiError
from xnai.llm.engine.estimates import Rates, Work, left

REFRESH_SECONDS = 2.0
GUESSED_SECONDS = 5.0  # of an answer, while nothing was measured
REMEMBERED_USERS = 1024

Rank = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a request stands: 0 has its turn, 1 is next; the seconds are None while unknown."""

    position: int
    eta_seconds: float | None = None


class Ticket:
    """One request's place, from ``join`` to ``leave``."""

    def __init__(self, number: int, user: str, work: Work, joined: float) -> None:
        self.number = number  # of arrival
        self.user = user
        self.work = work
        self.joined = joined
        self.begun: float | None = None
        self.ended = False
        self.busy_at_begin = 0.0
        self.moved = asyncio.Event()


class Admission:
    """Gives out the places of a worker.

    Args:
        limit: how many of one user may wait while nobody else has any waiting.
        rates: what estimates are made from; fed with the figures of ended answers.
        slots: how many have their turn at once.
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        limit: int,
        rates: Rates,
        slots: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._rates = rates
        self._slots = slots
        self._clock = clock
        self._arrivals = 0
        self._queues: dict[str, deque[Ticket]] = {}
        self._running: dict[Ticket, None] = {}  # in the order of their turns
        self._running_of: Counter[str] = Counter()
        self._turns = 0
        self._served: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._busy = 0.0  # seconds of turns so far, of all places together
        self._busy_until = clock()
        self._places: dict[Ticket, QueuePosition] | None = None
        self._places_at = 0.0
        self._holds = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues.values()))

    @property
    def running(self) -> int:
        """How many have their turn."""
        return len(self._running)

    @property
    def slots(self) -> int:
        """How many may have their turn at once."""
        return self._slots

    def resize(self, slots: int) -> None:
        """Give out another number of places; who has one keeps it."""
        self._slots = slots
        self._advance()

    def join(self, user: str, work: Work) -> Ticket:
        """Take a place in the queue, or a free one; ``leave`` must follow.

        Raises:
            XnaiError: QUEUE_FULL with the time after which there is room, SHUTTING_DOWN.

        """
        self._check_open()
        must_wait = self._holds or self.running >= self._slots
        if must_wait and not self._has_room(user):
            raise XnaiError(QUEUE_FULL, retry_after=self._room_in(), waiting=self.waiting)
        self._arrivals += 1
        ticket = Ticket(self._arrivals, user, work, self._clock())
        self._queues.setdefault(user, deque()).append(ticket)
        self._served.setdefault(user, (self._turns, 0))
        self._advance()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place back, wherever it is; a second time does nothing."""
        if ticket.ended:
            return
        ticket.ended = True
        if ticket in self._running:
            self._account()
            del self._running[ticket]
            self._running_of[ticket.user] -= 1
            if not self._running_of[ticket.user]:
                del self._running_of[ticket.user]
            if not self._running:
                self._drained.set()
        else:
            queue = self._queues[ticket.user]
            queue.remove(ticket)
            if not queue:
                del self._queues[ticket.user]
        self._advance()

    def place(self, ticket: Ticket) -> QueuePosition:
        """Where a request stands now.

        Raises:
            XnaiError: SHUTTING_DOWN.

        """
        self._check_open()
        if ticket.begun is not None or ticket.ended:
            return QueuePosition(0)
        now = self._clock()
        if self._places is None or now - self._places_at >= REFRESH_SECONDS:
            self._places, self._places_at = self._simulate(now), now
        return self._places[ticket]

    async def moved(self, ticket: Ticket, seconds: float | None = None) -> None:
        """Wait until the place may have changed; time alone changes it too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_SECONDS if seconds is None else seconds):
                await ticket.moved.wait()
        ticket.moved.clear()

    def at_once(self, ticket: Ticket) -> float:
        """How many answers were under way on average during its turn, itself included."""
        if ticket.begun is None:
            return 1.0
        self._account()
        seconds = self._busy_until - ticket.begun
        return (self._busy - ticket.busy_at_begin) / seconds if seconds > 0 else 1.0

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncGenerator[None, None]:
        """Let those under way come to their end and nobody begin; the queue keeps its order."""
        self._holds += 1
        try:
            await self._drained.wait()
            self._check_open()
            yield
        finally:
            self._holds -= 1
            self._advance()

    def close(self) -> None:
        """Send everyone away who waits."""
        self._closed = True
        self._wake()
        self._drained.set()

    def _check_open(self) -> None:
        if self._closed:
            raise XnaiError(SHUTTING_DOWN)

    def _has_room(self, user: str) -> bool:
        """Nobody has more waiting than is still free (``resilience.shares``): alone, the limit."""
        free = 2 * self._limit - self.waiting
        return len(self._queues.get(user, ())) < free

    def _advance(self) -> None:
        while self._queues and not self._holds and self.running < self._slots:
            user = min(self._queues, key=self._rank)
            queue = self._queues[user]
            self._begin(queue.popleft())
            if not queue:
                del self._queues[user]
        self._wake()

    def _rank(self, user: str) -> Rank:
        return (self._running_of[user], *self._served[user], self._queues[user][0].number)

    def _begin(self, ticket: Ticket) -> None:
        self._account()
        ticket.begun, ticket.busy_at_begin = self._busy_until, self._busy
        self._running[ticket] = None
        self._running_of[ticket.user] += 1
        self._drained.clear()
        self._turns += 1
        self._served[ticket.user] = (self._turns, 1)
        self._served.move_to_end(ticket.user)
        for user in list(self._served)[: len(self._served) - REMEMBERED_USERS]:
            if user not in self._queues:
                del self._served[user]
        ticket.moved.set()

    def _account(self) -> None:
        now = self._clock()
        self._busy += len(self._running) * (now - self._busy_until)
        self._busy_until = now

    def _wake(self) -> None:
        self._places = None
        for queue in self._queues.values():
            for ticket in queue:
                ticket.moved.set()

    def _room_in(self) -> float:
        """Seconds until the first who waits has its turn and leaves room behind it."""
        places = self._simulate(self._clock()).values()
        first = next((place.eta_seconds for place in places), None)
        return first or GUESSED_SECONDS

    def _simulate(self, now: float) -> dict[Ticket, QueuePosition]:
        """Play the queue through with measured rates: the places in the order of turns."""
        known = self._rates.seconds(Work()) is not None
        ends = [(self._left(ticket, now), ticket.number, ticket.user) for ticket in self._running]
        ends += [(0.0, -free, "") for free in range(1, 1 + self._slots - self.running)]
        heapq.heapify(ends)
        surplus = self.running - self._slots  # after the number of places has shrunk
        queues = {user: deque(queue) for user, queue in self._queues.items()}
        ranks = {user: self._rank(user) for user in queues}
        running, turns = Counter(self._running_of), self._turns
        places: dict[Ticket, QueuePosition] = {}
        while queues:
            end, _, leaver = heapq.heappop(ends)
            running[leaver] -= 1
            if leaver in ranks:
                ranks[leaver] = (running[leaver], *ranks[leaver][1:])
            surplus -= 1
            if surplus >= 0:
                continue
            user = min(ranks, key=ranks.__getitem__)
            ticket = queues[user].popleft()
            places[ticket] = QueuePosition(len(places) + 1, end if known else None)
            heapq.heappush(ends, (end + self._expected(ticket), ticket.number, user))
            turns, running[user] = turns + 1, running[user] + 1
            if queues[user]:
                ranks[user] = (running[user], turns, 1, queues[user][0].number)
            else:
                del queues[user], ranks[user]
        return places

    def _expected(self, ticket: Ticket) -> float:
        seconds = self._rates.seconds(ticket.work, max(1, min(self._slots, self.running)))
        return GUESSED_SECONDS if seconds is None else seconds

    def _left(self, ticket: Ticket, now: float) -> float:
        assert ticket.begun is not None
        return left(self._expected(ticket), now - ticket.begun)
