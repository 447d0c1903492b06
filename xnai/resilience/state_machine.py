"""The state of one breaker in one replica: what the fleet's state and its own circuit come to.

A pure state machine. Every time is an argument, nothing is awaited, and what it decides leaves it
as transitions through ``emit``. Results of calls, snapshots of the fleet, operators and the store's
coming and going are put in; it knows nobody who does so.

    results ──▶ should_open ──▶ circuit (circuit.py) ──┐
                                                       ├──▶ who rules ──▶ state ──▶ calls, listeners
    snapshots, operators ─────▶ fleet ─────────────────┘

Who rules, by the state of the fleet, of the circuit, and whether the store can be asked:

    fleet            store   circuit          rules    why
    CLOSED           any     CLOSED           fleet
    CLOSED           any     OPEN, HALF_OPEN  circuit  a replica that is sick alone shuts nobody out
    OPEN, HALF_OPEN  there   any              fleet    replicas share one set of probes
    OPEN, HALF_OPEN  away    OPEN, HALF_OPEN  circuit  each replica probes by itself
    OPEN, HALF_OPEN  away    CLOSED           fleet    until the circuit has adopted this
    by an operator   any     any              fleet

The fleet's own states are a table in breaker.lua; here they come as snapshots, of which a later
epoch or revision counts. What a replica finds out while the store is away has the next epoch.
"""

import math
import random
from collections.abc import Callable

from xnai.resilience.circuit import Circuit
from xnai.resilience.config import Config
from xnai.resilience.events import Scope, Transition
from xnai.resilience.states import TRIPPED, Snapshot, State
from xnai.resilience.store import Result, StoredBreaker
from xnai.resilience.window import Totals, Window, should_open

ASK_AGAIN = 0.1  # seconds before another probe is asked for, after none was to be had
_NEVER_REFUSE = frozenset({State.CLOSED, State.DISABLED, State.METRICS_ONLY})


class StateMachine:
    """One breaker's state, and when a call may be made.

    ``shut``: calls have to ask; before ``refuses_until`` the answer is known to be no. ``window``:
    what ended since the last change. ``unsynced``: the fleet's state is not known yet.

    Args:
        name: of the breaker.
        config: when to open, and for how long.
        now: the time of the caller's monotonic clock.
        emit: gets each change of the state.
        chance: draws the jitter of open times, from 0 to 1.

    """

    def __init__(
        self,
        name: str,
        config: Config,
        now: float,
        emit: Callable[[Transition], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._config = config
        self._emit = emit
        self.fleet = Snapshot(since=now)
        self.circuit = Circuit(config, chance)
        self.window = Window(config.window, now)
        self.store_away = self.unsynced = self.shut = False
        self.refuses_until = 0.0
        self.state = State.CLOSED
        self.scope: Scope = "fleet"
        self.reason = ""
        self.since = now
        self.open_seconds = 0.0  # of the time that is over
        self._told_epoch = 0
        self._ask_at = 0.0

    # --- what it knows

    @property
    def alone(self) -> bool:
        """Whether the circuit decides on calls, not the fleet's probes."""
        return self.fleet.state is State.CLOSED or self.store_away

    @property
    def lets_all(self) -> bool:
        """Whether no call is refused, nor a probe."""
        return self.state in _NEVER_REFUSE

    @property
    def opens(self) -> int:
        """How often it opened without closing in between."""
        return max(self.fleet.opens, self.circuit.opens)

    @property
    def vote(self) -> bool:
        """Whether this replica's own circuit holds the dependency for sick."""
        return self.fleet.state is State.CLOSED and self.circuit.state in TRIPPED

    def refuses(self, now: float) -> bool:
        """Whether a call would be refused now, without looking any further."""
        if not self.shut or self.state in {State.DISABLED, State.METRICS_ONLY}:
            return False
        if self.state is State.FORCED_OPEN:
            return True
        return self.circuit.refuses(now) if self.alone else self.probes_to_ask_for(now) < 1

    def retry_after(self, now: float) -> float | None:
        """Seconds to the next attempt, where it is known."""
        if self.state is State.OPEN:
            until = self.circuit.until if self.alone else self.fleet.until
            return max(0.0, until - now)
        if self.state is State.HALF_OPEN:
            return max(ASK_AGAIN, self.fleet.free_at - now)
        return None

    def probes_to_ask_for(self, now: float) -> int:
        """How many probes the store may have to give, as far as is known."""
        fleet = self.fleet
        if now < self._ask_at:
            return 0
        if fleet.state is State.OPEN:
            return self._config.probes if now >= fleet.until else 0
        if now >= fleet.since + self._config.half_open_longest:
            return self._config.probes
        return max(fleet.free, int(0.0 < fleet.free_at <= now))

    def totals(self, now: float) -> Totals:
        """What ended within the window."""
        return self.window.totals(now)

    def row(self, now: float, *, edge: bool, final: bool) -> StoredBreaker:
        """What this replica saw, for the store."""
        calls, failures, slow = self.totals(now)
        return StoredBreaker(
            epoch=self.fleet.epoch,
            calls=calls,
            failures=failures,
            slow=slow,
            running=self.window.running,
            vote=self.vote,
            edge=edge and self.vote,
            final=final,
            reason=self.circuit.reason,
        )

    # --- what happens to it

    def weigh(self, window: Window, now: float, why: str) -> bool:
        """Open the circuit if what ended within the window calls for it; tell whether it did.

        ``why`` says how the last call failed.
        """
        if window is not self.window or self.state is not State.CLOSED:
            return False
        reason = should_open(self._config, window, now, why)
        if reason:
            self.circuit.open(now, reason)
            self._settle(now)
        return bool(reason)

    def apply(self, snapshot: Snapshot, now: float) -> None:
        """Take over the fleet's state, if it is not older than what is known."""
        if snapshot.order < self.fleet.order:
            return
        changed = snapshot.epoch != self.fleet.epoch
        self.fleet = snapshot
        if changed:
            self.window = Window(self._config.window, now)
        if changed or snapshot.state is not State.CLOSED:
            self.circuit.reset()
        self._settle(now)

    def command(self, state: State, reason: str, now: float) -> None:
        """Obey an operator here, where the store cannot be told."""
        self._advance(state, reason, now, commanded=True)
        self.circuit.reset()
        self.window = Window(self._config.window, now)
        self._settle(now)

    def follow(self, now: float, *, away: bool) -> None:
        """Follow a fleet from now on, whose state is not known yet."""
        self.unsynced = True
        self.store_moved(now, away=away)

    def store_moved(self, now: float, *, away: bool) -> None:
        """Note that the store came or went: who rules may have changed."""
        self.store_away = away
        self._settle(now)

    def synced(self, now: float) -> None:
        """Note that the fleet's state is known, or is not waited for any more."""
        if self.unsynced:
            self.unsynced = False
            self._settle(now)

    def none_given(self, now: float) -> None:
        """Note that the store had no probe to give."""
        self._ask_at = now + ASK_AGAIN

    # --- probes of this replica alone

    def acquire(self, now: float) -> int | None:
        """Take a ticket for a probe of this replica's circuit, if one may be had."""
        if self.fleet.state in TRIPPED:
            until = self.fleet.until if self.fleet.state is State.OPEN else now
            self.circuit.adopt(until, self.fleet.opens, self.fleet.reason)
        ticket = self.circuit.acquire(now)
        self._settle(now)
        return ticket

    def release(self, ticket: int, result: Result, now: float, reason: str) -> bool:
        """Use the result of such a probe; False if the ticket is void."""
        held = self.circuit.release(ticket, result, now, reason)
        if held:
            self._claim(now, reason)
            self._settle(now)
        return held

    def conclude(self, result: Result, now: float, reason: str) -> None:
        """Use the result of a fleet's probe here, where the store cannot be told."""
        if result == "returned" or self.fleet.state not in TRIPPED or not self.store_away:
            return
        self.circuit.adopt(now, self.fleet.opens, self.fleet.reason)
        ticket = self.circuit.acquire(now)
        if ticket is not None:
            self.circuit.release(ticket, result, now, reason)
            self._claim(now, reason)
        self._settle(now)

    def _claim(self, now: float, reason: str) -> None:
        """Note that what was the fleet's open circuit is closed by this replica's probes."""
        if self.circuit.state is not State.CLOSED:
            return
        self.window = Window(self._config.window, now)
        if self.fleet.state in TRIPPED:
            # Two transitions, as in the store: what it may yet do of a request that was given
            # up here, opening it half, is then the older news.
            steps = 2 if self.fleet.state is State.OPEN else 1
            self._advance(State.CLOSED, reason, now, steps)

    # --- what follows

    def _advance(
        self, state: State, reason: str, now: float, steps: int = 1, *, commanded: bool = False
    ) -> None:
        """Put the fleet, as this replica sees it, into a state of a later epoch."""
        self.fleet = Snapshot(
            state,
            epoch=self.fleet.epoch + steps,
            revision=self.fleet.revision + 1,
            since=now,
            reason=reason,
            commanded=now if commanded else self.fleet.commanded,
        )

    def _ruling(self) -> tuple[State, Scope, int, str, float]:
        """State, scope, epoch, reason and when the next attempt is due, of the one who rules."""
        fleet, circuit = self.fleet, self.circuit
        stands_in = self.store_away and fleet.state in TRIPPED
        if circuit.state in TRIPPED and (stands_in or fleet.state is State.CLOSED):
            return circuit.state, "replica", circuit.epoch, circuit.reason, circuit.until
        return fleet.state, "fleet", fleet.epoch, fleet.reason, fleet.until

    def _settle(self, now: float) -> None:
        """Work out the state anew and tell of a change."""
        state, scope, epoch, reason, until = self._ruling()
        self.shut = self.unsynced or state is not State.CLOSED
        refusing = {State.OPEN: until, State.FORCED_OPEN: math.inf}
        self.refuses_until = 0.0 if self.unsynced else refusing.get(state, 0.0)
        old = self.state
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
        self._emit(Transition(self.name, old, state, scope, epoch, reason, seconds, retry_in))
