"""Whether calls are let in: this replica's own circuit, and above it the fleet's state."""

import asyncio
from collections.abc import Callable

from xnai.resilience.circuit import Circuit
from xnai.resilience.config import Config
from xnai.resilience.events import Listeners, Scope, Transition
from xnai.resilience.follower import Follower
from xnai.resilience.probe import Admission, Probe, Probes
from xnai.resilience.states import TRIPPED, Snapshot, State
from xnai.resilience.store import Result, Row, StoreAwayError, Stores
from xnai.resilience.verdict import verdict
from xnai.resilience.window import Totals, Window

_ASK_AGAIN = 0.1  # seconds before another probe is asked for, after none was to be had


_ORDINARY = Admission()
_REFUSED = Admission(refused=True)


class Judge:
    """The state of one breaker in one replica.

    The fleet's state rules unless it is CLOSED: then this replica's circuit does, so that what is
    wrong with this replica alone closes nobody else's door. It also rules while the store is away
    and the fleet was open; what it then finds out has the next epoch and is told to the store.

    ``shut``: calls have to ask; ``window``: what ended since the last change.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        listeners: Listeners,
        stores: Stores | None,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._config = config
        self._tell = listeners.tell
        self._clock = clock
        now = clock()
        self.fleet = Snapshot(since=now)
        self._circuit = Circuit(config)
        self.window = Window(config.window, now)
        self.shut = stores is not None  # until the fleet's state is known
        self.state = State.CLOSED
        self.scope: Scope = "fleet"
        self.reason = ""
        self.since = now
        self.open_seconds = 0.0  # of the time that is over
        self._told_epoch = 0
        self._asking = 0
        self._ask_at = 0.0
        self._probes = Probes(name, config, listeners, self._renew, self._conclude)
        self.finish = self._probes.finish
        self.give_back = self._probes.give_back
        self._follower = Follower(name, config, self, stores, clock) if stores else None

    def start(self) -> None:
        """Begin to follow the fleet."""
        if self._follower is not None:
            self._follower.start()

    async def close(self) -> None:
        """End what was begun; results on their way are told."""
        await self._probes.close()
        if self._follower is not None:
            await self._follower.close()

    async def ready(self) -> None:
        """Wait until the fleet's state is known, or the store is found to be away."""
        if self._follower is not None:
            await self._follower.ready()

    @property
    def shared(self) -> bool:
        """Whether a store is shared with other replicas."""
        return self._follower is not None

    @property
    def opens(self) -> int:
        """How often it opened without closing in between."""
        return max(self.fleet.opens, self._circuit.opens)

    @property
    def store_away(self) -> bool:
        """Whether a shared store is configured and cannot be asked."""
        return self._follower is not None and self._follower.store.away

    @property
    def rejecting(self) -> bool:
        """Whether a call would be refused now, without looking any further."""
        if not self.shut or self.state in {State.DISABLED, State.METRICS_ONLY}:
            return False
        if self.state is State.FORCED_OPEN:
            return True
        now = self._clock()
        if self._alone:
            waits = self._circuit.state is State.OPEN and now < self._circuit.until
            return waits or (self._circuit.state is State.HALF_OPEN and self._circuit.free < 1)
        return not self._may_ask(now)

    def retry_after(self, now: float) -> float | None:
        """Seconds to the next attempt, where it is known."""
        if self.state is State.OPEN:
            until = self._circuit.until if self._alone else self.fleet.until
            return max(0.0, until - now)
        if self.state is State.HALF_OPEN:
            return max(_ASK_AGAIN, self.fleet.free_at - now)
        return None

    @property
    def vote(self) -> bool:
        """Whether this replica's own circuit holds the dependency for sick."""
        return self.fleet.state is State.CLOSED and self._circuit.state in TRIPPED

    def row(self, *, edge: bool, final: bool) -> Row:
        """What this replica saw."""
        seen = self.totals()
        vote, why = self.vote, self._circuit.reason
        running = self.window.running
        return Row(self.fleet.epoch, *seen, running, vote, edge and vote, final, why)

    def totals(self) -> Totals:
        """What ended within the window."""
        return self.window.totals(self._clock())

    def weigh(self, window: Window, now: float, why: str) -> None:
        """Open this replica's circuit if what ended within the window calls for it."""
        if window is not self.window or self.state is not State.CLOSED:
            return
        reason = verdict(self._config, window, now, why)
        if reason:
            self._circuit.open(now, reason)
            self._settle()
            if self._follower is not None:
                self._follower.voted()

    async def admit(self) -> Admission:
        """Decide on a call while ``shut``."""
        if self._follower is not None and self._follower.unsynced:
            await self._follower.ready()
        if self.state in {State.CLOSED, State.DISABLED, State.METRICS_ONLY}:
            return _ORDINARY
        if self.state is State.FORCED_OPEN:
            return _REFUSED
        now = self._clock()
        if self._alone:
            return self._local(now)
        if not self._may_ask(now):
            return _REFUSED
        asking = self._probes.spawn(self._ask())
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._unwanted)
            raise

    def _unwanted(self, asking: "asyncio.Task[Admission]") -> None:
        """Return a probe whose caller went away while it was asked for."""
        if not asking.cancelled() and not asking.exception():
            self._probes.give_back(asking.result().probe)

    @property
    def _alone(self) -> bool:
        """Whether this replica's own circuit rules."""
        return self.fleet.state is State.CLOSED or self.store_away

    def _may_ask(self, now: float) -> bool:
        fleet = self.fleet
        if now < self._ask_at or self._asking >= self._config.probes:
            return False
        if fleet.state is State.OPEN:
            return now >= fleet.until
        return fleet.free > self._asking or 0.0 < fleet.free_at <= now

    def _local(self, now: float) -> Admission:
        if self.fleet.state in TRIPPED:
            until = self.fleet.until if self.fleet.state is State.OPEN else now
            self._circuit.adopt(until, self.fleet.opens, self.fleet.reason)
        ticket = self._circuit.acquire(now)
        self._settle()
        if ticket is None:
            return _REFUSED
        probe = Probe(str(ticket), self._circuit.epoch, shared=False)
        return Admission(self._probes.begin(probe))

    async def _ask(self) -> Admission:
        assert self._follower is not None
        self._asking += 1
        try:
            reply = await self._follower.store.acquire(self.fleet)
        except StoreAwayError:
            return self._local(self._clock())
        finally:
            self._asking -= 1
        self.apply(reply.snapshot)
        if reply.ticket:
            probe = Probe(reply.ticket, reply.snapshot.epoch, shared=True)
            return Admission(self._probes.begin(probe))
        if self.state is State.CLOSED:
            return _ORDINARY
        self._ask_at = self._clock() + _ASK_AGAIN
        return _REFUSED

    async def _renew(self, probe: Probe) -> bool:
        assert self._follower is not None
        return await self._follower.renew(self.fleet, probe.ticket)

    async def _conclude(self, probe: Probe, result: Result, reason: str) -> bool:
        """Use a probe's result; False if it is void."""
        if probe.shared and self._follower is not None:
            try:
                reply = await self._follower.store.release(self.fleet, probe.ticket, result, reason)
            except StoreAwayError:
                self._conclude_alone(result, reason)
                return True
            self.apply(reply.snapshot)
            return reply.held
        held = self._circuit.release(int(probe.ticket), result, self._clock(), reason)
        if held:
            self._claim(reason)
            self._settle()
        return held

    def _conclude_alone(self, result: Result, reason: str) -> None:
        """Use the result of a fleet's probe here, when the store cannot be told."""
        if result == "returned" or self.fleet.state not in TRIPPED:
            return
        now = self._clock()
        self._circuit.adopt(now, self.fleet.opens, self.fleet.reason)
        ticket = self._circuit.acquire(now)
        if ticket is not None:
            self._circuit.release(ticket, result, now, reason)
            self._claim(reason)
        self._settle()

    def _claim(self, reason: str) -> None:
        """Note that what was the fleet's open circuit is closed by this replica's probes."""
        if self._circuit.state is State.CLOSED:
            self.window = Window(self._config.window, self._clock())
            if self.fleet.state in TRIPPED:
                # Two transitions, as in the store: what it may yet do of a request that was given
                # up here, opening it half, is then the older news.
                steps = 2 if self.fleet.state is State.OPEN else 1
                self._put(State.CLOSED, reason, steps)

    def _put(self, state: State, reason: str, steps: int = 1) -> None:
        epoch, revision, now = self.fleet.epoch + steps, self.fleet.revision + 1, self._clock()
        self.fleet = Snapshot(state, epoch, revision, since=now, reason=reason)

    def apply(self, snapshot: Snapshot) -> None:
        """Take over the fleet's state, if it is not older than what is known."""
        if snapshot.order < self.fleet.order:
            return
        changed = snapshot.epoch != self.fleet.epoch
        self.fleet = snapshot
        if changed:
            self.window = Window(self._config.window, self._clock())
        if changed or snapshot.state is not State.CLOSED:
            self._circuit.reset()
        self._settle()

    async def set_state(self, state: State, reason: str, *, clear: bool = False) -> None:
        """Obey an operator, for the whole fleet; at once here if the store is away."""
        if self._follower is not None:
            try:
                snapshot = await self._follower.set_state(self.fleet, state, reason, clear=clear)
            except StoreAwayError:
                self._follower.postpone(state, reason, clear=clear)
            else:
                self.apply(snapshot)
                return
        self._put(state, reason)
        self._circuit.reset()
        self.window = Window(self._config.window, self._clock())
        self._settle()

    def _effective(self) -> tuple[State, Scope, int, str, float]:
        """State, scope, epoch, reason and when the next attempt is due."""
        fleet, circuit = self.fleet, self._circuit
        stands_in = self.store_away and fleet.state in TRIPPED and circuit.state in TRIPPED
        if stands_in or (fleet.state is State.CLOSED and circuit.state is not State.CLOSED):
            return circuit.state, "replica", circuit.epoch, circuit.reason, circuit.until
        return fleet.state, "fleet", fleet.epoch, fleet.reason, fleet.until

    def _settle(self) -> None:
        """Work out the state anew and tell of a change."""
        state, scope, epoch, reason, until = self._effective()
        unsynced = self._follower is not None and self._follower.unsynced
        self.shut = unsynced or state is not State.CLOSED
        old, now = self.state, self._clock()
        if (state, scope, epoch) == (old, self.scope, self._told_epoch):
            return
        seconds = now - self.since
        self.state, self.scope, self.reason, self._told_epoch = state, scope, reason, epoch
        if state is old is State.CLOSED:
            return
        if old in TRIPPED or old is State.FORCED_OPEN:
            self.open_seconds += seconds
        self.since = now
        retry_in = max(0.0, until - now) if state is State.OPEN else None
        self._tell(Transition(self.name, old, state, scope, epoch, reason, seconds, retry_in))

    def resettle(self) -> None:
        """The store came or went: who rules may have changed."""
        self._settle()
