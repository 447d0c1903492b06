"""Calls that are let through to find out whether the dependency is well again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from xnai.resilience.config import Config
from xnai.resilience.events import Listeners, ProbeEnded, ProbeResult, ProbeStarted
from xnai.resilience.store import Result
from xnai.resilience.tasks import end, seen

T = TypeVar("T")


class Probe:
    """A ticket, and who holds it: ``shared`` tickets are leased from the store.

    ``settled``: its result was told or is void.
    """

    __slots__ = ("epoch", "holding", "settled", "shared", "ticket")

    def __init__(self, ticket: str, epoch: int, *, shared: bool) -> None:
        self.ticket = ticket
        self.epoch = epoch
        self.shared = shared
        self.settled = False
        self.holding: asyncio.Task[None] | None = None

    def settle(self) -> bool:
        """Claim the right to tell its result; False if that was done."""
        if self.settled:
            return False
        self.settled = True
        if self.holding is not None and self.holding is not asyncio.current_task():
            self.holding.cancel()
        return True


@dataclass(frozen=True, slots=True)
class ProbeLease:
    """Whether a call is let in, and as which probe."""

    probe: Probe | None = None
    refused: bool = False


ORDINARY = ProbeLease()
REFUSED = ProbeLease(refused=True)


class Probes:
    """The probes of one breaker that this replica holds.

    Args:
        renew: keeps a lease; False if it is lost.
        conclude: tells a result; False if the ticket was void.

    """

    def __init__(
        self,
        name: str,
        config: Config,
        listeners: Listeners,
        renew: Callable[[Probe], Awaitable[bool]],
        conclude: Callable[[Probe, Result, str], Awaitable[bool]],
    ) -> None:
        self._name = name
        self._config = config
        self._announce = listeners.tell
        self._renew = renew
        self._conclude = conclude
        self._tasks: set[asyncio.Task[Any]] = set()
        self._held: set[Probe] = set()

    def begin(self, probe: Probe) -> Probe:
        """Hold a ticket until its result is told."""
        self._announce(ProbeStarted(self._name, probe.epoch, probe.ticket))
        self._held.add(probe)
        probe.holding = self.spawn(self._hold(probe))
        return probe

    def give_back(self, probe: Probe | None) -> None:
        """Return a probe without a result; does not wait."""
        if probe is not None and not probe.settled:
            self.spawn(self._end(probe, "returned", ""))

    def tell(self, probe: Probe, succeeded: bool, reason: str) -> asyncio.Task[None]:
        """Tell a probe's result in the background."""
        why = "the probes succeeded" if succeeded else f"a probe failed: {reason}"
        result: Result = "succeeded" if succeeded else "failed"
        return self.spawn(self._end(probe, result, why))

    async def finish(self, probe: Probe, succeeded: bool, reason: str) -> None:
        """Tell a probe's result; goes on in the background if the caller is cancelled."""
        await asyncio.shield(self.tell(probe, succeeded, reason))

    async def close(self) -> None:
        """Tell the results that are on their way, and give back what is held."""
        for probe in list(self._held):
            self.give_back(probe)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._config.lease / 10)
        await end(list(self._tasks))

    async def _hold(self, probe: Probe) -> None:
        """Renew the lease as long as the probe may last; then it has failed."""
        clock = asyncio.get_running_loop().time
        limit = clock() + self._config.probe_limit
        while (left := limit - clock()) > 0:
            await asyncio.sleep(min(self._config.lease / 3, left))
            if probe.shared and not await self._renew(probe):
                if probe.settle():
                    self._held.discard(probe)
                    self._announce(ProbeEnded(self._name, probe.epoch, probe.ticket, "lost"))
                return
        words = f"a probe took longer than {self._config.probe_limit:g} s"
        await self._end(probe, "failed", words)

    async def _end(self, probe: Probe, result: Result, reason: str) -> None:
        if not probe.settle():
            return
        self._held.discard(probe)
        held = await self._conclude(probe, result, reason)
        told: ProbeResult = result if held else "lost"
        self._announce(ProbeEnded(self._name, probe.epoch, probe.ticket, told))

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something that ends before ``close`` returns, and whose failure is logged."""
        task = asyncio.create_task(work, name=f"breaker {self._name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(seen)
        return task
