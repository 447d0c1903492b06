"""The endpoints there are: which of them can be asked, and why none can."""

import asyncio
import math
import zlib
from collections.abc import Callable, Collection
from contextlib import suppress
from weakref import WeakSet

from xnai.aio import cancel_and_wait
from xnai.errors import MODEL_DOWN, REMOTE_ALL_DOWN, REMOTE_BUSY, REMOTE_PAUSED, XnaiError
from xnai.llm.remote.endpoint import Endpoint
from xnai.llm.remote.timeouts import Closing
from xnai.observability import metrics
from xnai.resilience import Breaker, CircuitOpenError
from xnai.settings import Settings

_LOOK_SECONDS = 1.0  # between two looks whether an endpoint is due for a probe


class Pool:
    """The endpoints of ``XNAI_LLM_URL``, each behind its breaker; ``model`` is asked of each.

    Args:
        settings: llm_*.
        breaker_of: the breaker of an endpoint, by its name.
        closing: ends every wait when the server stops.

    """

    def __init__(
        self, settings: Settings, breaker_of: Callable[[str], Breaker], closing: Closing
    ) -> None:
        self.endpoints = [Endpoint(url, settings, closing) for url in settings.llm_url]
        self.model = settings.llm_model
        self._closing = closing
        self._breakers = {one.name: breaker_of(one.name) for one in self.endpoints}
        self._watching: asyncio.Task[None] | None = None
        self._noted: WeakSet[asyncio.Task[XnaiError | None]] = WeakSet()  # looks that have counted

    def usable(self) -> list[Endpoint]:
        """Those that can be asked now."""
        return [one for one in self._able() if not self.breaker(one).rejecting]

    def _able(self) -> list[Endpoint]:
        return [one for one in self.endpoints if one.reach.usable and one.info.has(self.model)]

    def breaker(self, endpoint: Endpoint) -> Breaker:
        """The breaker of an endpoint."""
        return self._breakers[endpoint.name]

    def paused(self, endpoint: Endpoint, retry_after: float | None = None) -> XnaiError:
        """The error that stands for an open breaker."""
        breaker = self.breaker(endpoint)
        wait = breaker.retry_after if retry_after is None else retry_after
        reason = breaker.reason
        return XnaiError(REMOTE_PAUSED, retry_after=wait, endpoint=endpoint.name, reason=reason)

    def choose(self, user: str, tried: Collection[str]) -> Endpoint | None:
        """The endpoint with the least to do that was not tried yet.

        Among equals it is the one that the same user had before, whose prefix cache knows the
        conversation.
        """

        def rank(endpoint: Endpoint) -> tuple[bool, float, int]:
            load = endpoint.in_flight / endpoint.info.slots
            affinity = zlib.crc32(f"{user} {endpoint.name}".encode(errors="replace"))
            return self._ails(endpoint), load, affinity

        return min((e for e in self.usable() if e.name not in tried), key=rank, default=None)

    def _ails(self, endpoint: Endpoint) -> bool:
        """Whether its last answer failed, a moment ago; it is then the last choice."""
        return self.breaker(endpoint).ailing

    def why_none(self) -> XnaiError:
        """Why nobody can answer: the place where a local engine would step in."""
        if shut := [self.paused(one) for one in self._able()]:
            return min(shut, key=lambda error: error.retry_after or math.inf)
        errors = [one.reach.error for one in self.endpoints if one.reach.error]
        wait = min(map(self._wait, self.endpoints)) or None
        if not errors:
            names = ", ".join(endpoint.name for endpoint in self.endpoints)
            return XnaiError(MODEL_DOWN, reason=f"{names} has not answered yet", retry_after=wait)
        busy = [error for error in errors if error.kind is REMOTE_BUSY]
        if len(errors) == 1 or busy:
            one = (busy or errors)[0]
            return XnaiError(one.kind, retry_after=wait, **one.values)
        reasons = "; ".join(error.message.rstrip(".") for error in errors)
        return XnaiError(
            REMOTE_ALL_DOWN, retry_after=wait, count=len(self.endpoints), reasons=reasons
        )

    def _wait(self, endpoint: Endpoint) -> float:
        """Seconds after which it is of use to ask again."""
        return max(self.breaker(endpoint).retry_after or 0.0, endpoint.reach.retry_in)

    async def ensure_usable(self, deadline: float) -> None:
        """Return once an endpoint can be asked; any number of callers probe each once.

        Raises:
            XnaiError: what is wrong with the endpoint, or with all of them.

        """
        if self.usable():
            return
        due = [one for one in self.endpoints if not one.reach.usable and self._may_look(one)]
        if not due:
            raise self.why_none()
        looks = [asyncio.create_task(self._look(endpoint)) for endpoint in due]
        try:
            with suppress(TimeoutError):
                await self._closing.limit(self._first_usable(looks), deadline)
        finally:
            await cancel_and_wait(*looks)
        if not self.usable():
            raise self.why_none()

    def _may_look(self, endpoint: Endpoint) -> bool:
        return not endpoint.reach.resting and not self.breaker(endpoint).rejecting

    async def _look(self, endpoint: Endpoint) -> None:
        """Look at an endpoint for a question; that it fails counts, once for all who wait.

        That it does not proves little: one that lists its models may answer nothing.
        """
        looking = endpoint.look()
        if looking is None:
            return
        error = await asyncio.shield(looking)
        if error is None or looking in self._noted:
            return
        self._noted.add(looking)
        breaker = self.breaker(endpoint)
        with suppress(CircuitOpenError):
            await breaker.leave(await breaker.enter(), error)

    async def _first_usable(self, looks: Collection[asyncio.Task[None]]) -> None:
        for look in asyncio.as_completed(looks):
            await look
            if self.usable():
                return

    def start(self) -> None:
        """Begin to probe the endpoints in the background; returns at once."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="model endpoints")

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for endpoint in self.endpoints:
                group.create_task(self._keep_checked(endpoint))

    async def _keep_checked(self, endpoint: Endpoint) -> None:
        up = metrics.remote_up.labels(endpoint.name)
        while True:
            if endpoint.reach.due:
                await endpoint.check()
            up.set(int(endpoint.reach.usable))
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """Stop the probes and end every connection."""
        await cancel_and_wait(self._watching)
        for endpoint in self.endpoints:
            await endpoint.close()
