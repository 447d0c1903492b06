"""The breaker: lets calls through, counts how they end, and refuses them while it is open."""

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from xnai.resilience.calls import CallAttempt, Entry, decorate
from xnai.resilience.config import Config
from xnai.resilience.coordinator import Coordinator
from xnai.resilience.errors import CircuitOpenError
from xnai.resilience.events import Listeners
from xnai.resilience.recorder import Recorder
from xnai.resilience.state_machine import StateMachine
from xnai.resilience.states import State
from xnai.resilience.store import Stores
from xnai.resilience.stream import guard_stream
from xnai.resilience.window import Totals

P = ParamSpec("P")
T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_.:/@\[\]-]{1,120}")  # no braces: it is the hash tag of a cluster


class Breaker:
    """One dependency's breaker; it belongs to one event loop.

    Use it as a decorator, or by ``call``, ``attempt`` and ``stream``.

    Args:
        name: of the dependency; replicas that share a store share what has the same name.
        config: when to open, and for how long.
        listeners: who hears of transitions and probes.
        stores: the store that is shared with other replicas; None: this replica is the fleet.
        clock: monotonic seconds.

    Raises:
        ValueError: the name has other signs than letters, digits and ``_ . : / @ - [ ]``.

    """

    def __init__(
        self,
        name: str,
        config: Config | None = None,
        listeners: Listeners | None = None,
        stores: Stores | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a breaker: letters, digits and _.:/@-[]")
        self.name = name
        self.config = config or Config()
        self._clock = clock
        self._slow = self.config.slow_call
        self._judges_results = self.config.failed is not None
        self._coordinator = Coordinator(name, self.config, listeners or Listeners(), stores, clock)
        self._machine = self._coordinator.machine
        self._recorder = Recorder(name, self.config, self._coordinator, clock)
        self.counts = self._recorder.counts

    @property
    def machine(self) -> StateMachine:
        """Its state in detail; to be looked at, not to be changed."""
        return self._machine

    @property
    def state(self) -> State:
        """What it does with a call now."""
        return self._machine.state

    @property
    def reason(self) -> str:
        """Why it is in this state, in words."""
        return self._machine.reason

    @property
    def shared(self) -> bool:
        """Whether it is shared with other replicas."""
        return self._coordinator.replicator is not None

    @property
    def rejecting(self) -> bool:
        """Whether a call would be refused now, without looking any further."""
        return self._coordinator.refuses(self._clock())

    @property
    def retry_after(self) -> float | None:
        """Seconds to the next attempt while it is open, where it is known."""
        return self._machine.retry_after(self._clock())

    @property
    def ailing(self) -> bool:
        """Whether the last call that ended has failed, within the window."""
        return self._machine.window.streak > 0 and self.totals().failures > 0

    def totals(self) -> Totals:
        """What ended within the window."""
        return self._machine.totals(self._clock())

    def start(self) -> None:
        """Begin to follow the fleet; returns at once."""
        self._coordinator.start()

    async def ready(self) -> None:
        """Wait until the fleet's state is known, or the store is found to be away."""
        await self._coordinator.ready()

    async def close(self) -> None:
        """Stop following the fleet and give back the probes that are out."""
        await self._coordinator.close()

    async def set_state(self, state: State, reason: str, *, clear: bool = False) -> None:
        """Obey an operator, for the whole fleet; ``clear`` forgets what the replicas saw."""
        await self._coordinator.set_state(state, reason, clear=clear)

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __call__(
        self, function: Callable[P, AsyncIterator[T]], /
    ) -> Callable[P, AsyncGenerator[T, None]]: ...

    def __call__(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Decorate an ``async def``, or an async generator, so that each call goes through it.

        Raises:
            TypeError: the function is neither.

        """
        return decorate(self, function)

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the dependency.

        Raises:
            CircuitOpenError: it was not called.

        """
        machine = self._machine
        if machine.shut or self._judges_results:
            if (now := self._clock()) < machine.refuses_until:
                raise self._refusal(machine.refuses_until - now)
            return await self._call(function, *args, **kwargs)
        # The path of almost every call: two looks at the clock and a few additions.
        window = machine.window
        window.begun += 1
        began = self._clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as exc:
            self._recorder.record_exception(window, exc, began)
            raise
        ended = self._clock()
        if window.troubled or ended >= window.turn or ended - began > self._slow:
            self._recorder.record_success(window, began, ended)
        else:
            window.calls += 1
            window.streak = 0
            self.counts.succeeded += 1
        return result

    async def _call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        entry = await self.enter()
        try:
            result = await function(*args, **kwargs)
        except BaseException as exc:
            await self.leave(entry, exc)
            raise
        await self.leave(entry, bad=self._recorder.rules.is_bad(result))
        return result

    def attempt(self) -> "CallAttempt":
        """An ``async with`` block that is one call of the dependency."""
        return CallAttempt(self)

    def stream(
        self, function: Callable[P, AsyncIterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """Call what returns an async iterator, and pass its items on.

        The call ends with the last item; a stream that dies half way is a failure, one that its
        reader closes is neither. Close the generator (``aclosing``) when you stop reading.

        Raises:
            CircuitOpenError: it was not called.
            StreamTimeoutError: it broke one of the limits of the config.

        """
        return guard_stream(self, lambda: function(*args, **kwargs))

    async def enter(self) -> Entry:
        """Begin a call by hand; ``leave`` must follow.

        Raises:
            CircuitOpenError: it must not be made.

        """
        machine = self._machine
        probe = None
        if machine.shut:
            admission = await self._coordinator.admit()
            if admission.refused:
                raise self._refusal(self.retry_after)
            probe = admission.probe
        if probe is None:
            machine.window.begun += 1
        return Entry(machine.window, probe, self._clock())

    def _refusal(self, retry_after: float | None) -> CircuitOpenError:
        self.counts.rejected += 1
        machine = self._machine
        wait = None if retry_after == math.inf else retry_after
        return CircuitOpenError(self.name, machine.state, machine.reason, wait)

    async def leave(
        self, entry: Entry, exc: BaseException | None = None, *, bad: bool = False
    ) -> None:
        """End a call: well, with an exception, or with a result that is ``bad``.

        While it is a probe this waits for the store, at most a quarter of a second; after a
        cancellation it does not wait.
        """
        if entry.probe is None:
            if entry.telling is not None:
                if exc is None or isinstance(exc, Exception):
                    await asyncio.wait({entry.telling})
                # It counts in the epoch that its beginning has brought about.
                entry.window = self._machine.window
                entry.window.begun += 1
            if exc is not None:
                self._recorder.record_exception(entry.window, exc, entry.began)
            elif bad:
                self._recorder.record_failure(entry.window, "bad result", entry.began)
            else:
                self._recorder.record_success(entry.window, entry.began, self._clock())
            return
        if exc is not None and self._recorder.is_ignored(exc):
            self._coordinator.probes.give_back(entry.probe)
            return
        why = self._recorder.why_failed(exc, entry.began, bad=bad)
        self.counts.ended(failed=bool(why))
        await self._coordinator.probes.finish(entry.probe, not why, why)

    def has_begun(self, entry: Entry) -> None:
        """Note that a stream has shown its first item.

        A probe has then shown what it was for, and the others need not wait for its end; how it
        goes on counts as that of any other call.
        """
        if entry.probe is not None:
            why = self._recorder.why_failed(None, entry.began, bad=False)
            entry.telling = self._coordinator.probes.tell(entry.probe, not why, why)
            entry.probe = None
