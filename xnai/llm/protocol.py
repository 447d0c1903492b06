"""What the rest of the program knows of a language model, wherever it runs."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from xnai.errors import XnaiError
from xnai.types import Message, Sampling, TokenLogprob, Usage

ModelState = Literal["preparing", "loading", "ready", "down"]
FinishReason = Literal["stop", "length"]
KEPT_HEAD = "head"  # what ``Completion.keep`` begins with where the text is of no document


@dataclass(frozen=True, slots=True)
class StateRequest:
    """A hidden state that is wanted besides: the output of a layer at the last token of ``after``.

    ``after`` is put behind the prompt for this alone; the answer is written without it.
    """

    layer: int
    after: str


@dataclass(frozen=True, slots=True)
class Completion:
    """One request to a model.

    ``user`` is whom the request counts for when turns are given out; ``deadline`` is the time of
    ``time.monotonic()`` after which the answer is of no use; ``traceparent`` is the W3C header of
    the trace that a remote server's part belongs to; ``allowed`` is how many seconds the answer
    had from its beginning, of which some may be over (None: those that are left); ``state`` is a
    hidden state that comes before the first text, if the model can give it; ``keep`` is a name
    under which what was read of the prompt is kept on disk, if the model can do that.
    """

    request_id: str
    user: str
    messages: tuple[Message, ...]
    sampling: Sampling
    deadline: float
    traceparent: str = ""
    allowed: float | None = None
    state: StateRequest | None = None
    keep: str = ""


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


@dataclass(frozen=True, slots=True)
class HiddenState:
    """The hidden state that was asked for: as many numbers as the model has dimensions."""

    values: tuple[float, ...]


CompletionEvent = Queued | Prefill | HiddenState | TokenText | Finished


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Which build of the local engine there is, and whether it computes what it should.

    ``build`` is a value of ``XNAI_ENGINE_BUILD``; ``detail`` says what it was built for, and why it
    is not a faster one.
    """

    build: str
    self_test: Literal["passed", "failed", "running"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How the model is doing.

    ``detail`` is a sentence for people; ``progress`` (0 to 1) and ``eta_seconds`` are known while
    the engine is prepared; ``retry_in`` is the time to the next attempt while it is down;
    ``error_code`` names the catalogued error behind ``down``; ``idle``: it was unloaded and is
    loaded again with the next question, so it counts as ready. ``running`` and ``waiting`` count
    requests. ``last_error`` is the code of the latest error, also of one that is over, and
    ``last_error_at`` its time; empty and 0 if there was none. ``engine`` is None where no local
    engine is used.
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
    last_error: str = ""
    last_error_at: float = 0.0  # seconds since the epoch, UTC
    engine: EngineStatus | None = None


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
    seconds; ``last_error`` as in ``ModelStatus``.
    """

    endpoint: str
    state: str
    since: float  # seconds since the epoch, UTC
    detail: str = ""
    retry_in: float | None = None
    error_code: str = ""
    model: str = ""
    in_flight: int = 0
    last_error: str = ""
    last_error_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do beside writing text.

    Attributes:
        logprobs: it tells how likely its tokens were.
        grammars: it can be bound to a grammar, and so be made to say a text.
        local: it runs on this machine.
        tokenizer: it counts tokens as they will be read, and does not estimate them.
        vision: it looks at pictures.
        states: it shows its hidden states.

    """

    logprobs: bool
    grammars: bool
    local: bool
    tokenizer: bool
    vision: bool = False
    states: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The model that answers a question, from the making of its prompt to its last token.

    A prompt that was made for one model is never given to another, which may have less room and
    need less: whoever moves on to the stand-in begins with a lease of its own.

    Attributes:
        model: what to count with and what to ask.
        stand_in: what may answer if this one fails before its first text.
        reason: why it is not the model that was chosen; None if it is.

    """

    model: "LanguageModel"
    stand_in: "LanguageModel | None" = None
    reason: XnaiError | None = None

    async def after(self, error: XnaiError, deadline: float) -> "Lease":
        """The lease of the model that stands in, after this one has failed.

        Raises:
            XnaiError: the error, if no other model may help or it cannot answer either.

        """
        if self.stand_in is None or not error.kind.retry_elsewhere:
            raise error
        try:
            other = await self.stand_in.ensure_ready(deadline)
        except XnaiError:
            raise error from None
        return replace(other, reason=error)


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

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside writing text."""
        ...

    @property
    def endpoints(self) -> list[EndpointStatus]:
        """The places that answers come from, without waiting; none where it is this machine."""
        ...

    def models(self) -> list[ModelInfo]:
        """The models that can be chosen, the one in use first."""
        ...

    async def use(self, name: str) -> None:
        """Choose another model; the current one answers what it has begun."""
        ...

    async def ensure_ready(self, deadline: float) -> Lease:
        """Load the model if it is not, and name the one that answers; any number load it once.

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
