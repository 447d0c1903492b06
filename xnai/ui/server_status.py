"""The line at the top of every page that says how the server is doing.

One task looks, once a second and only while a page is open, and tells all pages when the words have
changed, each in its language; a page that has just come is told the present ones. An idle server
says nothing to nobody.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from chainlit.session import ws_sessions_id

from xnai.aio import sleep_to_tick
from xnai.api.protocol import ApiRuntime
from xnai.breakers import ENDPOINT, MODEL
from xnai.llm.protocol import ModelStatus
from xnai.locale import IN_ENGLISH, Texts, marked
from xnai.resilience.registry import BreakerStatus
from xnai.resilience.states import State
from xnai.ui.broadcast import NAMESPACE
from xnai.ui.markdown import countdown
from xnai.ui.reading_language import texts_of

log = structlog.get_logger(__name__)

STATUS = "xnai:status"  # see public/page/status.js
EVERY = 1.0  # seconds between two looks
GOOD_NEWS = 8.0  # seconds that good news stays
_COUNTED = 2.0  # seconds by which a countdown may be wrong
_SHUT = frozenset({State.OPEN, State.FORCED_OPEN, State.HALF_OPEN})
_AGAIN = marked("The model answers again. Ask once more for a full answer.")


@dataclass(frozen=True, slots=True)
class StatusWords:
    """What the line says; no ``text``, no line.

    ``progress`` is 0 to 1; ``next_attempt`` are the seconds to it, which the page counts down.
    """

    text: str = ""
    progress: float | None = None
    is_down: bool = False
    next_attempt: float | None = None


Telling = Callable[[Texts], StatusWords]  # the same in any language


class ServerStatus:
    """Looks and tells.

    Args:
        runtime: the running program.
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, runtime: ApiRuntime, sio: Any) -> None:
        self._runtime = runtime
        self._sio = sio
        self._task: asyncio.Task[None] | None = None
        self._told = StatusWords()  # in English
        self._told_until = 0.0
        self._good_news_until = 0.0
        self._was_paused = False

    def install(self, sio: Any) -> None:
        """Tell each page that connects; call it once, after all that handles connections."""
        handlers: dict[str, Any] = sio.handlers[NAMESPACE]
        connected = handlers["connection_successful"]

        async def tell_and_connect(sid: str, *rest: object) -> None:
            session = next((s for s in ws_sessions_id.values() if s.socket_id == sid), None)
            await self._send(self._look()(texts_of(session)), sid)
            await connected(sid, *rest)

        handlers["connection_successful"] = tell_and_connect

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._watch(), name="server-status")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Tell all pages if the words have changed."""
        telling = self._look()
        words = telling(IN_ENGLISH)
        until = time.monotonic() + (words.next_attempt or 0.0)
        # The page counts down by itself, unless there is another attempt to wait for.
        is_later = words.next_attempt is not None and until > self._told_until + _COUNTED
        if is_later or _without_countdown(words) != _without_countdown(self._told):
            self._told, self._told_until = words, until
            await self._tell(telling)

    async def _watch(self) -> None:
        while True:
            await sleep_to_tick(EVERY)
            if not ws_sessions_id:
                continue
            try:
                await self.look()
            except Exception:
                log.exception("the pages were not told how the server is doing")

    def _look(self) -> Telling:
        runtime = self._runtime
        search = runtime.search_state
        if search.state != "ready":
            is_down, detail = search.state == "down", search.detail
            return lambda texts: StatusWords(
                detail or texts.say("Opening the documents"), is_down=is_down
            )
        shut = paused(runtime.breakers.status())
        if shut is not None:
            self._was_paused = True
            paused_now = shut
            return lambda texts: _paused_words(paused_now, texts)
        model = runtime.model.status
        is_well = not model_words(model).text
        if self._was_paused and is_well:
            self._was_paused = False
            self._good_news_until = time.monotonic() + GOOD_NEWS
        if is_well and time.monotonic() < self._good_news_until:
            return lambda texts: StatusWords(texts.say(_AGAIN))
        return lambda texts: model_words(model, texts)

    async def _tell(self, telling: Telling) -> None:
        """Tell all pages, each in its language."""
        for session in list(ws_sessions_id.values()):
            await self._send(telling(texts_of(session)), session.socket_id)

    async def _send(self, words: StatusWords, to: str) -> None:
        await self._sio.emit("window_message", {"type": STATUS, **asdict(words)}, to=to)


def paused(breakers: Sequence[BreakerStatus]) -> BreakerStatus | None:
    """Return the breaker that keeps questions from every model there is, if one does."""
    known = [one for one in breakers if one.name == MODEL or one.name.startswith(ENDPOINT)]
    shut = [one for one in known if one.state in _SHUT]
    return shut[0] if shut and len(shut) == len(known) else None


def model_words(model: ModelStatus, texts: Texts = IN_ENGLISH) -> StatusWords:
    """Return what there is to say of the model; of one that is well, nothing."""
    match model.state:
        case "ready":
            return StatusWords()
        case "preparing":
            return _preparing(model, texts)
        case "loading":
            return StatusWords(model.detail or texts.say("Loading the model"))
        case _:
            return StatusWords(model.detail or texts.say("The model is not running"), is_down=True)


def _preparing(model: ModelStatus, texts: Texts) -> StatusWords:
    failed = model.engine.detail if model.engine else ""
    if failed:
        what = texts.say("The model's engine: {reason}. Making the next build", reason=failed)
    else:
        what = texts.say("First start: building the model's engine for this machine")
    if model.progress is not None:
        what += f", {model.progress:.0%}"
    if model.eta_seconds is not None:
        what += ", " + texts.say("about {time} left", time=countdown(model.eta_seconds, texts))
    progress = None if model.progress is None else round(model.progress, 2)
    already = texts.say("Documents can be searched already.")
    return StatusWords(f"{what}. {already}", progress)


def _paused_words(shut: BreakerStatus, texts: Texts) -> StatusWords:
    text = texts.say(
        "No answers at the moment, only passages of your documents: {reason}.", reason=shut.reason
    )
    wait = None if shut.retry_in is None else round(shut.retry_in, 1)
    return StatusWords(text, is_down=True, next_attempt=wait)


def _without_countdown(words: StatusWords) -> Mapping[str, object]:
    return {**asdict(words), "next_attempt": words.next_attempt is not None}
