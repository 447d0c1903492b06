"""One answer for a client that may go away at any moment."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from xnai.answering.events import Done, Event, Question, Token
from xnai.answering.streams import Stream, Streams, StreamState
from xnai.answering.summary import Account
from xnai.errors import SHUTTING_DOWN, XnaiError


class LiveAnswer:
    """Runs the pipeline in a task of its own, which ends as soon as the client is gone.

    The generator lives in one task from first to last step, so time limits and locks inside it stay
    with the task that took them. For a slow reader at most one event and the text since then are
    kept: an answer is limited by its tokens, and a slow reader must not hold the model's place.
    """

    def __init__(
        self,
        streams: Streams,
        question: Question,
        events: AsyncGenerator[Event, None],
        receive: Receive,
    ) -> None:
        self._streams = streams
        self._question = question
        self._events = events
        self._receive = receive
        self._stream: Stream | None = None
        self._begun = False
        self._waiting: deque[Event | Exception] = deque()
        self._filled = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start the pipeline and the watch over the connection."""
        self._running = asyncio.create_task(self._run(), name="answer")
        self._watching = asyncio.create_task(self._watch(), name="answer-disconnect")
        return self

    async def __aexit__(self, _: object, exc: BaseException | None, __: object) -> None:
        """Cancel what still runs and wait until the generator is closed."""
        self._watching.cancel()
        refused = exc is not None and not isinstance(exc, (ClientDisconnect, OSError))
        if isinstance(exc, Exception) and refused:
            self._cancel(StreamState.FAILED)
        else:
            self._cancel(StreamState.DISCONNECTED)
        await asyncio.gather(self._running, self._watching, return_exceptions=True)
        if not self._begun:  # the client was gone before the task first ran
            self._streams.note_refused(self._new_stream(), asyncio.CancelledError())

    async def next(self, patience: float) -> Event | None:
        """Return the next event; None after ``patience`` seconds without one.

        Raises:
            XnaiError: the pipeline's.
            ClientDisconnect: nobody is listening any more.

        """
        try:
            async with asyncio.timeout(patience):
                await self._filled.wait()
        except TimeoutError:
            return None
        item = self._waiting.popleft()
        if not self._waiting:
            self._filled.clear()
        if isinstance(item, Exception):
            raise item
        return item

    async def _run(self) -> None:
        self._begun = True
        done: Done | None = None
        try:
            async with aclosing(self._events) as events:
                stream = self._new_stream()
                with self._streams.run(stream) as self._stream:
                    if self._question.scope is not None:
                        stream.retrieving()
                    async for event in events:
                        stream.see(event)
                        if isinstance(event, Done):
                            done = event
                        else:
                            self._put(event)
        except asyncio.CancelledError:
            self._put(self._why_cancelled())
            raise
        except Exception as exc:  # noqa: BLE001 - handed to the reader, who knows every kind
            self._put(exc)
        else:
            # Sent last, so that the model's place is free when the client sees the end.
            self._put(done or RuntimeError("the pipeline ended without Done"))

    def _new_stream(self) -> Stream:
        asked = self._question
        return Stream(
            "api",
            owner=asked.user,
            message=asked.request_id,
            request_id=asked.request_id,
            account=Account(asked.text),
        )

    def _put(self, item: Event | Exception) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(item, Token) and isinstance(last, Token):
            item = Token(last.text + item.text, last.logprobs + item.logprobs)
            self._waiting.pop()
        self._waiting.append(item)
        self._filled.set()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cancel(StreamState.DISCONNECTED)

    def _cancel(self, reason: StreamState) -> None:
        if self._stream is None:
            self._running.cancel()
        else:
            self._stream.cancel(reason)

    def _why_cancelled(self) -> Exception:
        if self._stream is not None and self._stream.reason is StreamState.SHUT_DOWN:
            return XnaiError(SHUTTING_DOWN, retry_after=5.0)
        return ClientDisconnect()
