"""The breaker: lets calls through, counts how they end, and refuses them while it is open."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from xnai.resilience.config import Config
from xnai.resilience.counts import Counts
from xnai.resilience.events import Listeners
from xnai.resilience.judge import Judge
from xnai.resilience.probe import Probe
from xnai.resilience.states import State
from xnai.resilience.store import Stores
from xnai.resilience.stream import guard_stream
from xnai.resilience.window import Window

P = ParamSpec("P")
T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_.:/@\[\]-]{1,120}")  # no braces: it is the hash tag of a cluster


class BreakerOpenError(Exception):
    """The call was not made, because the breaker is open.

    ``retry_after`` is the time in seconds to the next attempt, None where nobody knows.
    """

    def __init__(self, name: str, state: State, reason: str, retry_after: float | None) -> None:
        self.name = name
        self.state = state
        self.reason = reason
        self.retry_after = retry_after
        again = "" if retry_after is None else f", next attempt in {retry_after:.1f} s"
        super().__init__(f"{name} is {state.value}{again}: {reason}")


class Entry:
    """A call that was let in."""

    __slots__ = ("began", "probe", "window")

    def __init__(self, window: Window, probe: Probe | None, began: float) -> None:
        self.window = window
        self.probe = probe
        self.began = began


class Breaker:
    """One dependency's breaker; it belongs to one event loop.

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
        self.counts = Counts()
        self._clock = clock
        self._slow = self.config.slow_call
        self._judges_results = self.config.failed is not None
        self._judge = Judge(name, self.config, listeners or Listeners(), stores, clock)

    @property
    def state(self) -> State:
        """What it does with a call now."""
        return self._judge.state

    @property
    def retry_after(self) -> float | None:
        """Seconds to the next attempt while it is open, where it is known."""
        return self._judge.retry_after(self._clock())

    @property
    def judge(self) -> Judge:
        """Its state in detail, and the commands of operators."""
        return self._judge

    async def start(self) -> None:
        """Begin to follow the fleet; returns at once."""
        self._judge.start()

    async def close(self) -> None:
        """Stop following the fleet and give back the probes that are out."""
        await self._judge.close()

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the dependency.

        Raises:
            BreakerOpenError: it was not called.

        """
        judge = self._judge
        if judge.shut or self._judges_results:
            return await self._call(function, *args, **kwargs)
        # The path of almost every call: two looks at the clock and a few additions.
        window = judge.window
        window.begun += 1
        began = self._clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as exc:
            self._fell(window, exc, began)
            raise
        ended = self._clock()
        if window.troubled or ended >= window.turn or ended - began > self._slow:
            self._rose(window, began, ended)
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
        failed = self.config.failed
        await self.leave(entry, bad=failed is not None and failed(result))
        return result

    def attempt(self) -> "Attempt":
        """An ``async with`` block that is one call of the dependency."""
        return Attempt(self)

    def stream(
        self, function: Callable[P, AsyncIterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """Call what returns an async iterator, and pass its items on.

        The call ends with the last item; a stream that dies half way is a failure, one that its
        reader closes is neither. Close the generator (``aclosing``) when you stop reading.

        Raises:
            BreakerOpenError: it was not called.
            StreamTimeoutError: it broke one of the limits of the config.

        """
        return guard_stream(self, lambda: function(*args, **kwargs))

    async def enter(self) -> Entry:
        """Begin a call by hand; ``leave`` must follow.

        Raises:
            BreakerOpenError: it must not be made.

        """
        judge = self._judge
        probe = None
        if judge.shut:
            admission = await judge.admit()
            if admission.refused:
                self.counts.rejected += 1
                raise BreakerOpenError(self.name, judge.state, judge.reason, self.retry_after)
            probe = admission.probe
        if probe is None:
            judge.window.begun += 1
        return Entry(judge.window, probe, self._clock())

    async def leave(
        self, entry: Entry, exc: BaseException | None = None, *, bad: bool = False
    ) -> None:
        """End a call: well, with an exception, or with a result that is ``bad``.

        While it is a probe this waits for the store, at most a quarter of a second; after a
        cancellation it does not wait.
        """
        if entry.probe is None:
            if exc is not None:
                self._fell(entry.window, exc, entry.began)
            elif bad:
                self._fail(entry.window, "bad result", entry.began)
            else:
                self._rose(entry.window, entry.began, self._clock())
            return
        if exc is not None and self._says_nothing(exc):
            self._judge.give_back(entry.probe)
            return
        seconds = self._clock() - entry.began
        why = "" if exc is None else self.config.describe(exc)
        if exc is None and not bad and seconds > self._slow:
            why, bad = f"it took {seconds:.1f} s", True
            self.counts.slow += 1
        failed = bad or exc is not None
        self.counts.ended(failed=failed)
        await self._judge.finish(entry.probe, not failed, why or "bad result" if failed else "")

    def has_begun(self, entry: Entry) -> None:
        """Note that a stream has shown its first item."""
        if entry.probe is not None:
            entry.probe.begun = True

    def _says_nothing(self, exc: BaseException) -> bool:
        """Whether an exception is neither failure nor success; counts it, if so."""
        if not isinstance(exc, Exception):  # CancelledError, GeneratorExit, KeyboardInterrupt
            self.counts.cancelled += 1
            return True
        if self.config.ignore(exc):
            self.counts.ignored += 1
            return True
        return False

    def _fell(self, window: Window, exc: BaseException, began: float) -> None:
        if self._says_nothing(exc):
            window.void += 1
        else:
            self._fail(window, self.config.describe(exc), began)

    def _fail(self, window: Window, why: str, began: float) -> None:
        now = self._clock()
        slow = now - began > self._slow
        self.counts.failed += 1
        self.counts.slow += slow
        window.add(now, failed=True, slow=slow)
        self._judge.weigh(window, now, why)

    def _rose(self, window: Window, began: float, ended: float) -> None:
        slow = ended - began > self._slow
        self.counts.succeeded += 1
        self.counts.slow += slow
        window.add(ended, slow=slow)
        if window.troubled:
            self._judge.weigh(window, ended, f"it took {ended - began:.1f} s" if slow else "")


class Attempt:
    """One call of a dependency as a block of code; made by ``Breaker.attempt``."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._entry: Entry | None = None
        self._bad = False

    def failed(self) -> None:
        """Say that the result is a failure although nothing was raised."""
        self._bad = True

    async def __aenter__(self) -> Self:
        """Begin the call, see ``Breaker.enter``."""
        self._entry = await self._breaker.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        """End the call."""
        assert self._entry is not None
        await self._breaker.leave(self._entry, exc, bad=self._bad)


async def close_all(breakers: list[Breaker]) -> None:
    """Close several breakers at once."""
    await asyncio.gather(*(breaker.close() for breaker in breakers))
