"""Times one answer of a model, for the figures and for the trace."""

import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from xnai.llm.ipc import Figures
from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.observability import metrics, traces
from xnai.observability.genai import CANCELLED, ModelCall
from xnai.observability.traces import kind_of, note, traceparent

LOCAL = "xnai"  # as a provider's name


class Generation:
    """One answer of a model, from the request to its end; a context manager.

    It may be held by a generator: nothing of it is bound to the task.

    Args:
        provider: who serves the model.
        model: its name.
        completion: what is asked for; of it, numbers alone are told.
        server: host and port, if it is a remote one.

    """

    def __init__(self, provider: str, model: str, completion: Completion, server: str = "") -> None:
        self._asked = ModelCall(provider, model)
        self._local = not server
        self._began = time.monotonic()
        self._turn = self._first = self._ended = 0.0
        self._finished: Finished | None = None
        self._figures: Figures | None = None
        self._span = traces.call(f"chat {model}") if traces.on else None
        if self._span is not None:
            self._describe(completion, server)

    def _describe(self, completion: Completion, server: str) -> None:
        assert self._span is not None
        sampling = completion.sampling
        self._span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": self._asked.provider,
                "gen_ai.request.model": self._asked.model,
                "gen_ai.request.max_tokens": sampling.max_tokens,
                "gen_ai.request.temperature": sampling.temperature,
                "gen_ai.request.top_p": sampling.top_p,
            }
        )
        host, _, port = server.rpartition(":")
        if host and port.isdigit():
            self._span.set_attributes({"server.address": host, "server.port": int(port)})
        elif server:
            self._span.set_attribute("server.address", server)

    def passed_on(self, completion: Completion) -> Completion:
        """The request for a remote server, which is told of which trace it is a part."""
        header = traceparent(self._span) if self._span is not None else ""
        return replace(completion, traceparent=header) if header else completion

    def turn(self) -> None:
        """It is this request's turn."""
        self._turn = time.monotonic()

    def see(self, event: CompletionEvent) -> None:
        """Follow the events of the answer."""
        if isinstance(event, TokenText):
            self._first = self._first or time.monotonic()
        elif isinstance(event, Finished):
            self._finished = event

    def worked(self, told: tuple[Figures, float] | None) -> None:
        """What the worker measured, if it got that far, and when it said so."""
        if told is not None:
            self._figures, self._ended = told

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        now = time.monotonic()
        failure = ""
        if error is not None:
            failure = kind_of(error) if isinstance(error, Exception) else CANCELLED
        genai, seconds = metrics.genai, now - self._began
        genai.operation(self._asked, seconds, failure)
        if self._first:
            genai.first_chunk(self._asked, self._first - self._began)
        if self._local:
            genai.served(self._asked, seconds, failure)
        if self._finished is not None:
            usage = self._finished.usage
            genai.usage(self._asked, usage.prompt_tokens, usage.completion_tokens)
            self._decoded(usage.completion_tokens)
        if self._span is not None:
            self._close(now, error)

    def _decoded(self, tokens: int) -> None:
        if self._figures is not None:
            decode = self._figures.decode_seconds
            first = max(0.0, self._ended - decode - self._began)
            metrics.genai.decoded(self._asked, first, decode, tokens)

    def _close(self, now: float, error: BaseException | None) -> None:
        span = self._span
        assert span is not None
        if self._finished is not None:
            usage = self._finished.usage
            span.set_attributes(
                {
                    "gen_ai.response.finish_reasons": [self._finished.reason],
                    "gen_ai.usage.input_tokens": usage.prompt_tokens,
                    "gen_ai.usage.output_tokens": usage.completion_tokens,
                    "gen_ai.usage.cache_read.input_tokens": usage.reused_tokens,
                }
            )
        if self._first:
            seconds = self._first - self._began
            span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        if self._local:
            self._phases(now)
        if error is not None:
            note(span, error)
        span.end()

    def _phases(self, now: float) -> None:
        """Spans of waiting, reading and writing; by the worker's clock if it told of its own."""
        span = self._span
        assert span is not None
        traces.past(span, "queue", self._began, self._turn or now)
        if not self._turn:
            return
        begun, first, ended = self._turn, self._first, now
        attributes: dict[str, str | int | float] = {}
        if self._figures is not None:
            ended = self._ended
            first = ended - self._figures.decode_seconds
            begun = max(begun, first - self._figures.prefill_seconds)
            attributes = {
                "xnai.prompt.tokens": self._figures.prompt_tokens,
                "xnai.reused.tokens": self._figures.reused_tokens,
            }
        traces.past(span, "prefill", begun, first or ended, attributes)
        if first:
            traces.past(span, "decode", first, ended)
