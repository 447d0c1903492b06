"""Admits calls while a breaker is not closed, and settles what their probes found out.

The state machine decides, the replicator talks to the store; they meet here.
"""

from collections.abc import Callable

from xnai.resilience.acquire import Acquirer
from xnai.resilience.config import Config
from xnai.resilience.events import Listeners
from xnai.resilience.probe import ORDINARY, REFUSED, Probe, ProbeLease, Probes
from xnai.resilience.replication import Replicator
from xnai.resilience.state_machine import StateMachine
from xnai.resilience.states import State
from xnai.resilience.store import Result, StoreAwayError, Stores
from xnai.resilience.window import Window


class Coordinator:
    """What one breaker does beside calling: asks for probes, obeys operators, follows the fleet."""

    def __init__(
        self,
        name: str,
        config: Config,
        listeners: Listeners,
        stores: Stores | None,
        clock: Callable[[], float],
    ) -> None:
        self.machine = StateMachine(name, config, clock(), listeners.tell)
        self.replicator = Replicator(config, self.machine, stores, clock) if stores else None
        self.probes = Probes(name, config, listeners, self._renew, self._conclude)
        self._clock = clock
        self._acquirer = Acquirer(
            self.probes.spawn, self._ask, lambda admission: self.probes.give_back(admission.probe)
        )

    def start(self) -> None:
        """Begin to follow the fleet."""
        if self.replicator is not None:
            self.replicator.start()

    async def close(self) -> None:
        """End what was begun; results on their way are told."""
        await self.probes.close()
        if self.replicator is not None:
            await self.replicator.close()

    async def ready(self) -> None:
        """Wait until the fleet's state is known, or the store is found to be away."""
        if self.replicator is not None:
            await self.replicator.ready()

    def refuses(self, now: float) -> bool:
        """Whether a call would be refused now, without looking any further."""
        machine = self.machine
        if machine.refuses(now):
            return True
        asks = machine.shut and not machine.lets_all and not machine.alone
        return asks and not self._acquirer.has_room(machine.probes_to_ask_for(now))

    def weigh(self, window: Window, now: float, why: str) -> None:
        """Open this replica's circuit if what ended within the window calls for it."""
        if self.machine.weigh(window, now, why) and self.replicator is not None:
            self.replicator.report_vote()

    async def admit(self) -> ProbeLease:
        """Decide on a call while the machine is shut."""
        machine = self.machine
        if machine.unsynced:
            await self.ready()
        if machine.lets_all:
            return ORDINARY
        if machine.state is State.FORCED_OPEN:
            return REFUSED
        now = self._clock()
        if machine.alone:
            return self._local(now)
        places = machine.probes_to_ask_for(now)
        return await self._acquirer.join() if self._acquirer.has_room(places) else REFUSED

    async def set_state(self, state: State, reason: str, *, clear: bool = False) -> None:
        """Obey an operator, for the whole fleet; at once here if the store is away."""
        if self.replicator is not None:
            try:
                await self.replicator.command(state, reason, clear=clear)
            except StoreAwayError:
                pass
            else:
                return
        self.machine.command(state, reason, self._clock())

    def _local(self, now: float) -> ProbeLease:
        ticket = self.machine.acquire(now)
        if ticket is None:
            return REFUSED
        probe = Probe(str(ticket), self.machine.circuit.epoch, shared=False)
        return ProbeLease(self.probes.begin(probe))

    async def _ask(self, places: int) -> list[ProbeLease]:
        """One request for as many probes as callers wait."""
        assert self.replicator is not None
        machine = self.machine
        try:
            reply = await self.replicator.acquire(places)
        except StoreAwayError:
            return [self._local(self._clock()) for _ in range(places)]
        epoch = reply.snapshot.epoch
        given = [Probe(ticket, epoch, shared=True) for ticket in reply.tickets[:places]]
        if not given and machine.state is not State.CLOSED:
            machine.none_given(self._clock())
        rest = ORDINARY if machine.state is State.CLOSED else REFUSED
        found = [ProbeLease(self.probes.begin(probe)) for probe in given]
        return found + [rest] * (places - len(found))

    async def _renew(self, probe: Probe) -> bool:
        assert self.replicator is not None
        return await self.replicator.renew(probe.ticket)

    async def _conclude(self, probe: Probe, result: Result, reason: str) -> bool:
        """Use a probe's result; False if it is void."""
        if not probe.shared or self.replicator is None:
            return self.machine.release(int(probe.ticket), result, self._clock(), reason)
        try:
            return await self.replicator.release(probe.ticket, result, reason)
        except StoreAwayError:
            self.machine.conclude(result, self._clock(), reason)
            return True
