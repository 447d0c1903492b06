"""Asking the store for probes: one request, however many callers wait for one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from xnai.resilience.probe import REFUSED, ProbeLease


class Acquirer:
    """Hands out what one request brings.

    A caller takes its place before anything is awaited, so that of a thousand tasks that wake at
    the same moment as many get in line as there may be probes, and all others are refused.

    Args:
        spawn: runs the request as a task of the breaker.
        ask: asks for so many probes; tells each place's admission.
        unwanted: takes an admission that nobody waits for any more.

    """

    def __init__(
        self,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        ask: Callable[[int], Awaitable[list[ProbeLease]]],
        unwanted: Callable[[ProbeLease], None],
    ) -> None:
        self._spawn = spawn
        self._ask = ask
        self._unwanted = unwanted
        self._line: list[asyncio.Future[ProbeLease]] = []
        self._asking = False

    def has_room(self, places: int) -> bool:
        """Whether one more caller may get in line for so many probes."""
        return not self._asking and len(self._line) < places

    async def join(self) -> ProbeLease:
        """Get in line; the request leaves once all tasks that are awake had their turn."""
        place: asyncio.Future[ProbeLease] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        if len(self._line) == 1:
            self._spawn(self._run())
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._unwanted(place.result())
            raise

    async def _run(self) -> None:
        line, self._line = [place for place in self._line if not place.cancelled()], []
        if not line:
            return
        self._asking = True
        found: list[ProbeLease] = []
        try:
            found = await self._ask(len(line))
        finally:
            self._asking = False
            for number, place in enumerate(line):
                admission = found[number] if number < len(found) else REFUSED
                if place.done():
                    self._unwanted(admission)
                else:
                    place.set_result(admission)
