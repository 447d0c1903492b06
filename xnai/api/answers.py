"""What programs are told of an answer: all of its events together, and when it is none."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from xnai.answering.events import Degraded, Done, Event, Prompted, Reduced, Retrieved, Token
from xnai.api.live_answer import LiveAnswer
from xnai.errors import XnaiError
from xnai.llm.protocol import ModelStatus
from xnai.observability import metrics
from xnai.types import Passage, TokenLogprob

KEEP_ALIVE_SECONDS = 15.0
_UNAVAILABLE = 503


@dataclass
class WholeAnswer:
    """An answer that has ended."""

    done: Done
    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reduced: list[Reduced] = field(default_factory=list)
    passages: Sequence[Passage] = ()
    dropped: tuple[str, ...] = ()  # what the prompt had no room for, in words

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self.texts)


async def collect(
    answer: LiveAnswer, heard: Callable[[Event], Awaitable[None]] | None = None
) -> WholeAnswer:
    """Wait for the end of an answer; ``heard`` is called with every event.

    Raises:
        XnaiError: there is none, or passages alone.
        ClientDisconnect: nobody is listening any more.

    """
    texts: list[str] = []
    logprobs: list[TokenLogprob] = []
    reduced: list[Reduced] = []
    passages: Sequence[Passage] = ()
    dropped: tuple[str, ...] = ()
    while True:
        event = await answer.next(KEEP_ALIVE_SECONDS)
        if event is None:
            continue
        refuse_degraded(event)
        if heard is not None:
            await heard(event)
        if isinstance(event, Token):
            texts.append(event.text)
            logprobs += event.logprobs
        elif isinstance(event, Reduced):
            metrics.error(event.reason.code)
            reduced.append(event)
        elif isinstance(event, Retrieved):
            passages = event.passages
        elif isinstance(event, Prompted):
            dropped = event.dropped
        elif isinstance(event, Done):
            return WholeAnswer(event, texts, logprobs, reduced, passages, dropped)


def refuse_degraded(event: Event) -> None:
    """Refuse passages alone, which a program would take for the generated answer it asked for."""
    if isinstance(event, Degraded):
        reason = event.reason
        wait = reason.retry_after if event.retry_in is None else event.retry_in
        raise XnaiError(reason.kind, retry_after=wait, **reason.values)
    if isinstance(event, Reduced) and event.rung == "no_documents":
        raise event.reason  # an answer without the documents would pass for one from them


def with_wait(error: XnaiError, status: ModelStatus) -> XnaiError:
    """Return an error with what the model knows about its return."""
    if error.kind.status != _UNAVAILABLE or error.retry_after is not None:
        return error
    wait = status.eta_seconds if status.retry_in is None else status.retry_in
    return XnaiError(error.kind, retry_after=wait, **error.values)
