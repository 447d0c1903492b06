"""What one question turns into: the events that the pipeline streams, in their order."""

from dataclasses import dataclass, field
from typing import Literal

from xnai.errors import XnaiError
from xnai.llm.protocol import FinishReason
from xnai.types import Citation, Message, Passage, Sampling, Scope, TokenLogprob, Usage

# What an answer is: a statement of ours that was proven, evidence without one, the words that
# nothing was found, or small talk that no document was asked for.
Outcome = Literal["answered", "quoted", "not_found", "chat"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``history`` holds earlier turns, oldest first, without the question.

    ``scope`` None asks for a plain chat. ``system`` is a caller's own system message.
    ``continues``: the last answer of the history is to be gone on with, and ``text`` says only
    that; what is searched for is the question before it. ``reader`` is the language of the page,
    one of ``xnai.locale.LANGUAGES`` or empty, for a question that is too short to tell its own.
    ``asked`` names the libraries in the scope, for whoever reads the answer.
    """

    text: str
    request_id: str
    user: str
    history: tuple[Message, ...] = ()
    scope: Scope | None = None
    passages: int = 4
    sampling: Sampling = field(default_factory=Sampling)
    system: str = ""
    timeout: float = 300.0  # seconds, waiting included
    continues: bool = False
    reader: str = ""
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being loaded first; ``detail`` is a sentence."""

    detail: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The model is busy: ``position`` 1 is next in line."""

    position: int
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages found, best first, with the seconds the search took."""

    passages: tuple[Passage, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Prompted:
    """The prompt as it goes to the model; ``dropped`` says in words what had to be left out."""

    prompt_tokens: int
    context_tokens: int
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calculated:
    """The program has worked something out over a table.

    ``text`` says what, with its calculation, ``query`` how the model asked for it.
    """

    text: str
    query: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The model reads the prompt: ``done`` of ``total`` tokens."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Parts:
    """A question about a whole document: ``done`` of ``total`` parts were read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Token:
    """New text of the answer; citation marks such as ``[1]`` are part of it.

    ``logprobs``, if asked for, are those of the model's tokens since the last event; marks have
    none, and the text may lag behind. ``citations`` are those that lines about whole documents cite
    for the first time, so that lines of an answer that is cut have them; ``Done`` has all.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Degraded:
    """The answer is less than a full one: cited passages alone, and why."""

    rung: Literal["passages_only"]
    reason: XnaiError
    retry_in: float | None  # seconds to the next attempt, where known


@dataclass(frozen=True, slots=True)
class Reduced:
    """The answer will do without something, and why; it is generated all the same.

    ``text_only``: only the words of the documents were compared, not their meaning.
    ``no_documents``: the documents could not be searched. ``local_model``: no model endpoint can
    be asked.
    """

    rung: Literal["text_only", "no_documents", "local_model"]
    reason: XnaiError


@dataclass(frozen=True, slots=True)
class Done:
    """The end of every answer; an error raised instead ends it too.

    ``supported`` is False if no sentence of the answer stands in the passages; then the closest
    passage is cited all the same. ``found`` is False if nothing matched well enough to be put to
    the model, or if documents read whole hold nothing of what was asked for; then nothing is
    cited. ``evidence`` quotes the sentences that match the question best, with their places.
    ``language`` is that of the question, ``und`` for none of ``xnai.locale.LANGUAGES``.
    ``read_share`` is how much of the documents' text the model had before it, 0 to 1.
    """

    reason: FinishReason
    usage: Usage
    citations: tuple[Citation, ...]
    seconds: float
    supported: bool = True
    evidence: tuple[Citation, ...] = ()
    found: bool = True
    outcome: Outcome = "answered"
    route: str = ""
    language: str = ""
    read_share: float = 0.0


Event = (
    Loading
    | Waiting
    | Retrieved
    | Calculated
    | Prompted
    | Reading
    | Parts
    | Token
    | Reduced
    | Degraded
    | Done
)
