"""An answer as server-sent events, in whatever form a client wants them."""

import math
import time
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import Send

from xnai.answering.events import (
    Calculated,
    Degraded,
    Done,
    Event,
    Loading,
    Parts,
    Prompted,
    Reading,
    Reduced,
    Retrieved,
    Waiting,
)
from xnai.api.answers import KEEP_ALIVE_SECONDS, refuse_degraded
from xnai.api.chat_response import comment
from xnai.api.live_answer import LiveAnswer
from xnai.errors import XnaiError
from xnai.observability import metrics
from xnai.observability.error_reports import report

# A response that has begun can no longer carry a status of its own, so it begins only when the
# model is at work, or when a client has waited this long for a sign of life.
COMMIT_SECONDS = 5.0
_UNCOMMITTED = (Loading, Retrieved, Calculated, Prompted, Reduced, Degraded)
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Script(Protocol):
    """What an answer is written as; each part may be empty."""

    def begin(self) -> bytes:
        """What comes first."""
        ...

    def heard(self, event: Event) -> bytes:
        """What an event is."""
        ...

    def done(self, done: Done) -> bytes:
        """What a whole answer ends with."""
        ...

    def failed(self, error: XnaiError, request_id: str) -> bytes:
        """What one ends with that fails after its beginning."""
        ...

    def end(self) -> bytes:
        """What comes last in any case."""
        ...


class AnswerStream:
    """Writes an answer while it comes; what a client need not know is a comment."""

    def __init__(self, answer: LiveAnswer, script: Script, send: Send, request_id: str) -> None:
        self._answer = answer
        self._script = script
        self._send_message = send
        self._request_id = request_id

    async def run(self) -> None:
        """Write the whole answer; an error before the first byte is raised."""
        held = await self._until_committed()
        await self._send_message(
            {"type": "http.response.start", "status": 200, "headers": list(_HEADERS)}
        )
        try:
            await self._send(self._script.begin())
            await self._send(self._script.done(await self._write(held)))
        except ClientDisconnect:
            raise
        except Exception as exc:  # noqa: BLE001 - the status is sent: the stream has to say it
            await self._send(self._script.failed(report(exc), self._request_id))
        await self._send(self._script.end())
        await self._send_message({"type": "http.response.body", "body": b""})

    async def _until_committed(self) -> list[Event]:
        """Return the events until the model is at work, or until a time limit."""
        held: list[Event] = []
        deadline = time.monotonic() + COMMIT_SECONDS
        while (patience := deadline - time.monotonic()) > 0:
            event = await self._answer.next(patience)
            if event is None:
                break
            refuse_degraded(event)
            held.append(event)
            if not isinstance(event, _UNCOMMITTED):
                break
        return held

    async def _write(self, held: list[Event]) -> Done:
        for event in held:
            await self._write_event(event)
            if isinstance(event, Done):
                return event
        while True:
            following = await self._answer.next(KEEP_ALIVE_SECONDS)
            if following is None:
                await self._send(comment("waiting"))
                continue
            await self._write_event(following)
            if isinstance(following, Done):
                return following

    async def _write_event(self, event: Event) -> None:
        refuse_degraded(event)
        if isinstance(event, Reduced):
            metrics.error(event.reason.code)
        await self._send(self._script.heard(event))
        if words := _words_of(event):
            await self._send(comment(words))

    async def _send(self, body: bytes) -> None:
        if body:
            message = {"type": "http.response.body", "body": body, "more_body": True}
            await self._send_message(message)


def _words_of(event: Event) -> str:
    """Return what a client is told of an event that is no text."""
    words = ""
    match event:
        case Waiting():
            eta = "" if event.eta_seconds is None else f" eta {math.ceil(event.eta_seconds)}"
            words = f"queued {event.position}{eta}"
        case Reading():
            words = f"reading {event.done}/{event.total}"
        case Parts():
            words = f"parts {event.done}/{event.total}"
        case Loading():
            words = "loading"
        case Reduced():
            words = f"reduced {event.rung}"
        case Retrieved():
            words = f"retrieved {len(event.passages)}"
        case Calculated():
            words = "calculated"
    return words
