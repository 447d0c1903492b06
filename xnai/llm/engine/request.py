"""One request under way in a worker, as the server sees it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from xnai.errors import CATALOGUE, INTERNAL, XnaiError
from xnai.llm.engine.launch import Death
from xnai.llm.ipc import (
    Cancelled,
    Closing,
    Ended,
    OfRequest,
    Pause,
    PromptProgress,
    Refused,
    Resume,
    StateValues,
    Text,
    TokenCounts,
    Tokenising,
)
from xnai.types import TokenLogprob

UNREAD_LIMIT = 8_192  # characters that may lie unread before the worker is told to pause
LOGPROBS_SIZE = 64  # characters that one token's probabilities count as

Control = Callable[[Pause | Resume], None]
Answered = PromptProgress | StateValues | Text | Ended | Cancelled | TokenCounts


class WorkerDiedError(Exception):
    """The worker ended, or was ended, before it answered; the text says how."""

    def __init__(self, death: Death, *, blamed: bool = False) -> None:
        self.death = death
        self.blamed = blamed  # the worker died of this very request
        super().__init__(death.words)


class WorkerRetiredError(WorkerDiedError):
    """The worker was stopped on purpose before the request went to it; ask for another one."""


class Request:
    """One request under way; its frames arrive in order, text that lies unread as one.

    ``ended`` is done when the worker is through with the request, whether or not anybody reads:
    with the closing frame, or with None if the worker died. ``proven`` is done with the first text
    or with the end, whichever comes first.

    Args:
        request_id: what frames name it by.
        timed: whether silence means that the worker hangs.
        control: sends a frame that pauses or resumes this request.

    """

    def __init__(self, request_id: int, *, timed: bool, control: Control) -> None:
        loop = asyncio.get_running_loop()
        self.id = request_id
        self.timed = timed
        self.ticks = 0.0
        self.cancelling = False
        self.tokenising = False  # the worker is at its text
        self.computing = False  # its steps are under way
        self.blamed = False  # the worker died of it
        self.ended_at = 0.0  # time.monotonic()
        self.prefilled = 0  # tokens that were read, those found in the cache left out
        self.ended: asyncio.Future[Closing | None] = loop.create_future()
        self.proven: asyncio.Future[None] = loop.create_future()
        self._control = control
        self._frames: deque[Answered | Refused | Death] = deque()
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._unread = 0
        self._paused = False
        self._closed = False
        self._arrived = asyncio.Event()

    def text(self, text: str, logprobs: Sequence[TokenLogprob]) -> None:
        """Take new text; pauses the worker's end when too much lies unread."""
        self._prove()
        self._note_life()
        if self._closed:
            return
        self._texts.append(text)
        self._logprobs += logprobs
        self._unread += len(text) + LOGPROBS_SIZE * len(logprobs)
        if self._unread > UNREAD_LIMIT and not self._paused:
            self._paused = True
            self._control(Pause(self.id))
        self._arrived.set()

    def put(self, frame: OfRequest) -> None:
        """Take any other frame; of prefill frames that lie unread the last is kept."""
        self._note_life()
        self.tokenising = isinstance(frame, Tokenising)
        if isinstance(frame, Tokenising):
            return
        if isinstance(frame, PromptProgress):
            self.computing = True
            self.prefilled = frame.done - frame.reused
            if self._last_is_prefill():
                self._frames.pop()
        elif isinstance(frame, Closing):
            self._end(frame)
        if not self._closed:
            self._append(frame)

    def die(self, death: Death, *, blamed: bool = False) -> None:
        """Take note of the worker's death, and whether it died of this request."""
        self.blamed = blamed
        self._end(None)
        self._append(death)

    def close(self) -> None:
        """Drop what lies unread and what is still to come."""
        self._closed = True
        self._frames.clear()
        self._texts.clear()
        self._logprobs.clear()

    async def next(self) -> Answered:
        """The next frame.

        Raises:
            WorkerDiedError: the worker is gone.
            XnaiError: the worker refuses the request.

        """
        while not self._frames and not self._texts:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._frames:
            text = self._take_text()
            if self._paused:
                self._paused = False
                self._control(Resume(self.id))
            return text
        first = self._frames.popleft()
        if isinstance(first, Death):
            raise WorkerDiedError(first, blamed=self.blamed)
        if isinstance(first, Refused):
            values: dict[str, Any] = dict(first.values)
            raise XnaiError(CATALOGUE.get(first.code, INTERNAL), **values)
        return first

    def _take_text(self) -> Text:
        text = Text(self.id, "".join(self._texts), tuple(self._logprobs))
        self._texts, self._logprobs, self._unread = [], [], 0
        return text

    def _append(self, frame: Answered | Refused | Death) -> None:
        if self._texts:
            self._frames.append(self._take_text())
        self._frames.append(frame)
        self._arrived.set()

    def _last_is_prefill(self) -> bool:
        last = self._frames[-1] if self._frames and not self._texts else None
        return isinstance(last, PromptProgress)

    def _note_life(self) -> None:
        if not self.cancelling:  # then only the end of it counts
            self.ticks = 0.0

    def _prove(self) -> None:
        if not self.proven.done():
            self.proven.set_result(None)

    def _end(self, frame: Closing | None) -> None:
        self._prove()
        if not self.ended.done():
            self.ended_at = time.monotonic()
            self.ended.set_result(frame)


def words_of(error: Exception) -> str:
    """Why no worker runs: its death, or what the system says."""
    if isinstance(error, WorkerDiedError):
        return str(error)
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
