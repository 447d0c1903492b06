"""What the server and its worker say to each other: four bytes of length, then a frame.

``ToWorker`` and ``FromWorker`` are all that can be said; ``xnai.processes.frames`` makes bytes of
them.
"""

import asyncio
import json
import struct
from dataclasses import asdict, dataclass
from typing import IO

from xnai.errors import ErrorKind
from xnai.llm.protocol import (
    CompletionEvent,
    Finished,
    FinishReason,
    HiddenState,
    Prefill,
    StateRequest,
    TokenText,
)
from xnai.processes import frames
from xnai.processes.frames import FrameError, Frames
from xnai.types import Message, Sampling, TokenLogprob, Usage

MAX_FRAME = 64 * 1024 * 1024  # bytes
BEAT_SECONDS, IDLE_BEATS = 0.5, 4  # a worker that nobody asks is silent for so many times as long
CHUNK = 512  # most tokens of prompts in one step, unless another number was measured to be faster

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Complete:
    """Answer a conversation; what is read of it is kept on disk under the name ``keep``."""

    id: int
    messages: tuple[Message, ...]
    sampling: Sampling
    state: StateRequest | None = None
    keep: str = ""


@dataclass(frozen=True, slots=True)
class CountTexts:
    """Count the tokens of each text, without the template's own."""

    id: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountPrompt:
    """Count the tokens of the prompt that a conversation makes."""

    id: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a request."""

    id: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold an answer back."""

    id: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Let an answer grow again."""

    id: int


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How much of the model was read, 0 to 1."""

    progress: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded: tokens of one request, number of weights, requests at once.

    ``gpu_layers`` of its ``layers`` are computed by a GPU.
    """

    context: int
    parameters: int
    slots: int
    gpu_layers: int = 0
    layers: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The model cannot be loaded."""

    reason: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life, and for how long the step under way has taken."""

    step_seconds: float


@dataclass(frozen=True, slots=True)
class Tokenising:
    """The worker is at the text of a request."""

    id: int


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """So many tokens of a prompt are computed; ``reused`` of them were found in the cache."""

    id: int
    done: int
    total: int
    reused: int = 0


@dataclass(frozen=True, slots=True)
class StateValues:
    """The hidden state of a prompt that was asked for."""

    id: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """More of an answer, with the log probability of each token if it was asked for."""

    id: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class StepTexts:
    """What the last steps gave, for every answer that grew."""

    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an answer took."""

    prompt_tokens: int
    completion_tokens: int
    reused_tokens: int
    prefill_seconds: float
    decode_seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer is over."""

    id: int
    reason: FinishReason
    figures: Figures


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An answer was cancelled."""

    id: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not answered: a code of the catalogue, and what fills its words."""

    id: int
    code: str
    values: dict[str, str | int]
    figures: Figures | None = None  # of an answer that had begun


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of each text that was to be counted."""

    id: int
    counts: tuple[int, ...]


ToWorker = Complete | CountTexts | CountPrompt | Cancel | Pause | Resume
Closing = Ended | Cancelled | Refused | TokenCounts
OfRequest = Tokenising | PromptProgress | StateValues | Closing
FromWorker = LoadProgress | Ready | Failed | Beat | StepTexts | OfRequest

_TO_WORKER = Frames[ToWorker](ToWorker)
_FROM_WORKER = Frames[FromWorker](FromWorker)


def encode(frame: ToWorker | FromWorker) -> bytes:
    """One frame as bytes.

    Raises:
        FrameError: it is longer than the other side accepts.

    """
    body = frames.encode(frame)
    if len(body) > MAX_FRAME:
        raise FrameError(f"a frame of {len(body)} bytes is too long")
    return _LENGTH.pack(len(body)) + body


def read(file: IO[bytes]) -> ToWorker | None:
    """The worker's next frame from the server, from a blocking file; None at its end."""
    prefix = file.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    body = file.read(_body_length(prefix))
    return _TO_WORKER.decode(body) if len(body) == _body_length(prefix) else None


async def read_async(reader: asyncio.StreamReader) -> FromWorker | None:
    """The server's next frame from a worker; None at its end."""
    try:
        prefix = await reader.readexactly(_LENGTH.size)
        return _FROM_WORKER.decode(await reader.readexactly(_body_length(prefix)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def event(frame: PromptProgress | StateValues | Text | Ended) -> CompletionEvent:
    """Return what a frame means to whoever reads the answer."""
    match frame:
        case PromptProgress():
            return Prefill(frame.done, frame.total)
        case StateValues():
            return HiddenState(frame.values)
        case Text():
            return TokenText(frame.text, frame.logprobs)
        case Ended(figures=took):
            usage = Usage(took.prompt_tokens, took.completion_tokens, took.reused_tokens)
            return Finished(frame.reason, usage)


def _body_length(prefix: bytes) -> int:
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes is announced")
    return int(length)


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is told when it starts, as JSON in its first argument."""

    parent: int  # process id of the server
    model: str
    context: int  # tokens of prompt and answer together
    threads: int
    memory_limit: int  # bytes that may be allocated; mapped files do not count
    slots: int = 1  # requests that are answered at the same time
    store_bytes: int = 0  # for what is kept of past ones
    kept: tuple[str, int] = ("", 0)  # a folder for what was read, and most bytes there
    chunk: int = CHUNK  # most tokens of prompts in one step
    gpu_layers: int = -1  # layers on a GPU where the engine can use one; negative: what fits
    drafting: bool = True  # whether tokens may be guessed where that is faster
    requantise_to: str = ""  # only write this copy of the model and exit
    requantise_as: str = "Q8_0"  # how its weights are stored, see ``xnai.llm.worker.llama``
    probe: dict[str, str] | None = None  # only try what must not go, see ``sandbox.probe``

    def to_json(self) -> str:
        """The argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "WorkerConfig":
        """Read the argument."""
        return cls(**{**(told := json.loads(text)), "kept": tuple(told["kept"])})


class RefusedError(Exception):
    """A request that cannot be answered; ``values`` fill the words of ``kind``."""

    def __init__(self, kind: ErrorKind, **values: str | int) -> None:
        self.kind = kind
        self.values = values
        super().__init__(kind.code)
