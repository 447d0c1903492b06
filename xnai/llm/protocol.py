"""What the rest of the program knows of a language model, wherever it runs."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from xnai.errors import XnaiError
from xnai.types import Message, Sampling, TokenLogprob, Usage

ModelState = Literal["preparing", "loading", "ready", "down"]
FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Completion:
    """One request to a model.

    ``user`` is whom the request counts for when turns are given out; ``deadline`` is the time of
    ``time.monotonic()`` after which the answer is of no use; ``traceparent`` is the W3C header of
    the trace that a remote server's part belongs to.
    """

    request_id: str
    user: str
    messages: tuple[Message, ...]
    sampling: Sampling
    deadline: float
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits: ``position`` others' turns come first (1 = next in line)."""

    position: int
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Prefill:
    """The prompt is being read: ``done`` of ``total`` tokens."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TokenText:
    """New text; always whole characters, never part of a stop string.

    ``logprobs``, if asked for, are those of the tokens since the last event; their text may be
    ahead of ``text``, which waits for whole characters.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every answer that did not end in an error."""

    reason: FinishReason
    usage: Usage


CompletionEvent = Queued | Prefill | TokenText | Finished


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How the model is doing.

    ``detail`` is a sentence for people; ``progress`` (0 to 1) and ``eta_seconds`` are known while
    the engine is prepared; ``retry_in`` is the time to the next attempt while it is down;
    ``error_code`` names the catalogued error behind ``down``; ``idle``: it was unloaded and is
    loaded again with the next question, so it counts as ready. ``running`` and ``waiting`` count
    requests.
    """

    state: ModelState
    name: str
    since: float  # seconds since the epoch, UTC
    detail: str = ""
    progress: float | None = None
    eta_seconds: float | None = None
    retry_in: float | None = None
    error_code: str = ""
    idle: bool = False
    running: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can be chosen; ``context`` (tokens) and ``parameters`` are 0 while unknown."""

    name: str
    path: str
    size: int  # bytes
    context: int = 0
    bundled: bool = False
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One of several places that answers come from; ``endpoint`` is its host and port.

    ``state`` is ``unknown`` (not asked yet), ``ready``, ``busy`` or ``down``; ``retry_in`` is in
    seconds.
    """

    endpoint: str
    state: str
    since: float  # seconds since the epoch, UTC
    detail: str = ""
    retry_in: float | None = None
    error_code: str = ""
    model: str = ""
    in_flight: int = 0


@runtime_checkable
class HasEndpoints(Protocol):
    """A language model that is made of several."""

    def endpoints(self) -> list[EndpointStatus]:
        """Each of them, without waiting."""
        ...


@runtime_checkable
class HasFallback(Protocol):
    """A language model that has another for the time that it cannot answer itself."""

    @property
    def reduced(self) -> XnaiError | None:
        """Why the current task is answered by the other one; None if it is not."""
        ...

    def move_on(self, reason: XnaiError) -> bool:
        """Whether the current task may begin again with the other one, after an error."""
        ...


class LanguageModel(Protocol):
    """A language model that streams answers.

    ``complete`` ends with exactly one ``Finished`` or raises ``XnaiError``; closing the generator
    (``aclosing``) cancels the request and frees its place before it returns.
    """

    @property
    def status(self) -> ModelStatus:
        """How the model is doing, without waiting."""
        ...

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together may have this many tokens; 0 while unknown."""
        ...

    @property
    def parameters(self) -> int:
        """Number of weights, by which its strength is judged; 0 while unknown."""
        ...

    def models(self) -> list[ModelInfo]:
        """The models that can be chosen, the one in use first."""
        ...

    async def use(self, name: str) -> None:
        """Choose another model; the current one answers what it has begun."""
        ...

    async def ensure_ready(self, deadline: float) -> None:
        """Load the model if it is not; any number of callers load it once.

        Raises:
            XnaiError: it is being prepared, is down, or did not load in time.

        """
        ...

    def complete(self, completion: Completion) -> AsyncGenerator[CompletionEvent, None]:
        """Stream one answer."""
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the template's own."""
        ...

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the template's own included."""
        ...

    async def start(self) -> None:
        """Begin preparing and loading in the background; returns at once."""
        ...

    async def close(self) -> None:
        """Stop everything that was started; open answers end with ``SHUTTING_DOWN``."""
        ...
