"""The ways to write a guarded call that are not a call of ``Breaker.call``."""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self

from xnai.resilience.config import Config
from xnai.resilience.probe import Probe
from xnai.resilience.window import Window


class Entry:
    """A call that was let in."""

    __slots__ = ("began", "probe", "telling", "window")

    def __init__(self, window: Window, probe: Probe | None, began: float) -> None:
        self.window = window
        self.probe = probe
        self.began = began
        self.telling: asyncio.Task[None] | None = None  # its probe's result; the call goes on


class CallGuard(Protocol):
    """What a call goes through: the breaker, as its ways to be called see it."""

    @property
    def config(self) -> Config:
        """Its limits."""

    async def enter(self) -> Entry:
        """Begin a call."""

    async def leave(
        self, entry: Entry, exc: BaseException | None = None, *, bad: bool = False
    ) -> None:
        """End a call."""

    def has_begun(self, entry: Entry) -> None:
        """Note that a stream has shown its first item."""

    async def call(
        self, function: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call the dependency."""

    def stream(
        self, function: Callable[..., AsyncIterator[Any]], /, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """Call what returns an async iterator, and pass its items on."""


class CallAttempt:
    """One call of a dependency as a block of code; made by ``Breaker.attempt``."""

    def __init__(self, breaker: CallGuard) -> None:
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


def decorate(breaker: CallGuard, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose every call, or stream, goes through a breaker.

    Raises:
        TypeError: it is neither a coroutine function nor an async generator function, so its
            result would say nothing about how the call ended.

    """
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            return breaker.stream(function, *args, **kwargs)

        return stream
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await breaker.call(function, *args, **kwargs)

        return call
    name = getattr(function, "__qualname__", repr(function))
    raise TypeError(f"{name} is neither `async def` nor an async generator")
