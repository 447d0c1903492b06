"""Reads the stream of one answer of an endpoint: bytes in, events out."""

import time
from collections import deque
from collections.abc import AsyncIterator

import httpx

from xnai.errors import REMOTE_BROKE_OFF, REMOTE_GARBLED, XnaiError
from xnai.llm.protocol import Completion, CompletionEvent
from xnai.llm.remote.sse import Comment, Event, SseError, SseParser
from xnai.llm.remote.timeouts import AnswerClock, Closing
from xnai.llm.remote.wire import GarbledStreamError, WireAnswer, longest_answer, read_comment

_REST_SECONDS = 1.0  # for what comes after an answer's end, so that the connection can be kept


class AnswerReader:
    """One answer, as far as it was read; ``answer`` is complete once ``next`` has given None.

    Args:
        endpoint: host and port, for what is said of it.
        chunks: the body of the response; whoever opened it closes it.
        completion: what was asked for, which bounds how long the answer may be.
        clock: limits every wait.
        closing: ends them when the server stops.

    """

    def __init__(
        self,
        endpoint: str,
        chunks: AsyncIterator[bytes],
        completion: Completion,
        clock: AnswerClock,
        closing: Closing,
    ) -> None:
        self.answer = WireAnswer(endpoint)
        self._endpoint = endpoint
        self._chunks = chunks
        self._clock = clock
        self._closing = closing
        self._parser = SseParser()
        self._left = longest_answer(completion)  # bytes
        self._items: deque[Event | Comment] = deque()

    async def next(self) -> CompletionEvent | None:
        """What comes next of place, progress or text; None at the end of the stream.

        Raises:
            XnaiError: REMOTE_GARBLED, REMOTE_BROKE_OFF, or what the clock raises.
            httpx.HTTPError: the connection broke.

        """
        while True:
            while self._items:
                if event := self._event(self._items.popleft()):
                    return event
            data = await self._bytes()
            if data is None:
                break
            self._items += self._parsed(data)
        if self.answer.finish is None:
            reason = "the stream just ended"
            raise XnaiError(REMOTE_BROKE_OFF, endpoint=self._endpoint, reason=reason)
        return None

    def _event(self, item: Event | Comment) -> CompletionEvent | None:
        if isinstance(item, Comment):
            news = read_comment(item.text)
            if news is not None:
                self._clock.progress(text=False)
            return news
        try:
            return self.answer.take(item, self._clock)
        except GarbledStreamError as exc:
            raise garbled(self._endpoint, str(exc)) from exc

    def _parsed(self, data: bytes) -> list[Event | Comment]:
        self._left -= len(data)
        if self._left < 0:
            raise garbled(self._endpoint, "its answer is far longer than was asked for")
        try:
            return list(self._parser.feed(data))
        except SseError as exc:
            raise garbled(self._endpoint, str(exc)) from exc

    async def _bytes(self) -> bytes | None:
        """The next bytes, None at the end; after an answer's end nothing that fails matters."""
        following = anext(self._chunks, None)
        if not self.answer.complete:
            try:
                return await self._clock.limit(following)
            except (XnaiError, httpx.HTTPError):
                if self.answer.finish is None:
                    raise
                return None
        try:
            return await self._closing.limit(following, time.monotonic() + _REST_SECONDS)
        except (TimeoutError, XnaiError, httpx.HTTPError):
            return None


def garbled(endpoint: str, problem: str) -> XnaiError:
    """What is said of an endpoint whose answer is not one."""
    return XnaiError(REMOTE_GARBLED, endpoint=endpoint, problem=problem)
