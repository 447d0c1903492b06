"""Metrics that OpenTelemetry's conventions for generative AI have a name for.

Their page on metrics, as of semantic conventions for GenAI in November 2026, is the source: names,
attributes and bounds of the buckets are the convention's.
"""

from typing import NamedTuple

from xnai.errors import CATALOGUE
from xnai.observability.instruments import Instruments, Label

_DURATION = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
_FIRST = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_EACH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(float(4**power) for power in range(14))


CANCELLED = "cancelled"


class ModelCall(NamedTuple):
    """What was asked: by whom the model is served, and its name."""

    provider: str
    model: str


class GenAi:
    """The instruments; a model is named while there are few, then ``other``."""

    def __init__(self, make: Instruments) -> None:
        asked = (
            Label("gen_ai.operation.name", ("chat",)),
            Label("gen_ai.provider.name", limit=10),
            Label("gen_ai.request.model", limit=20),
        )
        error = Label("error.type", (*CATALOGUE, CANCELLED))
        self._operation = make.histogram(
            "gen_ai.client.operation.duration",
            "GenAI operation duration.",
            _DURATION,
            *asked,
            error,
        )
        self._first_chunk = make.histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "From the request to the first text of its answer.",
            _FIRST,
            *asked,
        )
        self._tokens = make.histogram(
            "gen_ai.client.token.usage",
            "Number of input and output tokens used.",
            _TOKENS,
            *asked,
            Label("gen_ai.token.type", ("input", "output")),
            unit="{token}",
        )
        self._request = make.histogram(
            "gen_ai.server.request.duration",
            "From a request to the local model to the last token.",
            _DURATION,
            *asked,
            error,
        )
        self._first_token = make.histogram(
            "gen_ai.server.time_to_first_token",
            "From a request to the local model to its first token, waiting included.",
            _FIRST,
            *asked,
        )
        self._each_token = make.histogram(
            "gen_ai.server.time_per_output_token",
            "Time of each token of the local model after the first one.",
            _EACH,
            *asked,
        )

    def operation(self, asked: ModelCall, seconds: float, error: str = "") -> None:
        """An answer is over; ``error`` is a code of the catalogue or ``CANCELLED``."""
        self._operation.observe(seconds, "chat", *asked, error)

    def first_chunk(self, asked: ModelCall, seconds: float) -> None:
        """The first text has come."""
        self._first_chunk.observe(seconds, "chat", *asked)

    def usage(self, asked: ModelCall, prompt: int, completion: int) -> None:
        """So many tokens were read and written."""
        self._tokens.observe(prompt, "chat", *asked, "input")
        self._tokens.observe(completion, "chat", *asked, "output")

    def served(self, asked: ModelCall, seconds: float, error: str = "") -> None:
        """The local model is through with a request."""
        self._request.observe(seconds, "chat", *asked, error)

    def decoded(self, asked: ModelCall, first: float, decode: float, tokens: int) -> None:
        """The local model's first token came after ``first`` seconds, all in ``decode`` more."""
        self._first_token.observe(first, "chat", *asked)
        if tokens > 1:
            self._each_token.observe(decode / (tokens - 1), "chat", *asked)
