"""Runs one answer for a client that may go away at any moment."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from xnai.events import Done, Event


class LiveAnswer:
    """The pipeline's events in a task of its own, which ends as soon as the client is gone.

    The generator lives in one task from first to last step: time limits and locks inside it stay
    with the task that took them. The queue has no bound: an answer is limited by its tokens, and a
    slow reader must not hold the model's place.
    """

    def __init__(self, events: AsyncGenerator[Event, None], receive: Receive) -> None:
        self._events = events
        self._receive = receive
        self._queue: asyncio.Queue[Event | Exception] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Start the pipeline and the watch over the connection."""
        self._running = asyncio.create_task(self._run(), name="answer")
        self._watching = asyncio.create_task(self._watch(), name="answer-disconnect")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel what still runs and wait until the generator is closed."""
        self._running.cancel()
        self._watching.cancel()
        await asyncio.gather(self._running, self._watching, return_exceptions=True)

    async def next(self, patience: float) -> Event | None:
        """The next event; None after ``patience`` seconds without one.

        Raises:
            XnaiError: the pipeline's.
            ClientDisconnect: nobody is listening any more.

        """
        try:
            async with asyncio.timeout(patience):
                item = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    async def _run(self) -> None:
        done: Done | None = None
        try:
            async with aclosing(self._events) as events:
                async for event in events:
                    if isinstance(event, Done):
                        done = event
                    else:
                        self._queue.put_nowait(event)
        except asyncio.CancelledError:
            self._queue.put_nowait(ClientDisconnect())
            raise
        except Exception as exc:  # noqa: BLE001 - handed to the reader, who knows every kind
            self._queue.put_nowait(exc)
        else:
            # Told last, so that the model's place is free when the client hears of the end.
            self._queue.put_nowait(done or RuntimeError("the pipeline ended without Done"))

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._running.cancel()
