"""One trace for each question, for whoever has named a collector; nothing at all otherwise."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, WrappedLogger

from xnai.errors import XnaiError

T = TypeVar("T")
P = ParamSpec("P")

_W3C = TraceContextTextMapPropagator()
_OFF: AbstractContextManager[None] = nullcontext()


class Traces:
    """Makes spans; off until ``use`` is called.

    Attributes are numbers, codes and names of models: never what people or documents say, so no
    message of an exception either.
    """

    def __init__(self) -> None:
        self._tracer: Tracer | None = None

    @property
    def on(self) -> bool:
        """Whether anybody is told."""
        return self._tracer is not None

    def use(self, tracer: Tracer | None) -> None:
        """Begin to make spans with a tracer, or stop."""
        self._tracer = tracer

    def span(
        self, name: str, attributes: Mapping[str, str | int | float] | None = None
    ) -> AbstractContextManager[Span | None]:
        """A span around a block that awaits but does not yield."""
        return _OFF if self._tracer is None else _current(self._tracer, name, attributes)

    def call(self, name: str) -> Span | None:
        """A span of asking another process, below the current one; its maker ends it."""
        return None if self._tracer is None else self._tracer.start_span(name, kind=SpanKind.CLIENT)

    def past(
        self,
        parent: Span,
        name: str,
        begun: float,
        ended: float,
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> None:
        """A span of something that is over; the times are those of ``time.monotonic()``."""
        if self._tracer is None or not parent.is_recording():
            return
        above = trace.set_span_in_context(parent)
        span = self._tracer.start_span(
            name, above, attributes=attributes, start_time=_epoch(min(begun, ended))
        )
        span.end(_epoch(ended))

    def question(self, kind: str) -> "QuestionTrace":
        """The root of a question's trace; what the current task does until its end is below it."""
        return QuestionTrace(self, self._tracer, kind)

    def incoming(self, headers: Mapping[str, str]) -> AbstractContextManager[None]:
        """Be part of the caller's trace, if the W3C header ``traceparent`` names one."""
        if self._tracer is None or "traceparent" not in headers:
            return _OFF
        return _attached(_W3C.extract(headers))


class QuestionTrace:
    """The root span of a question; made by ``Traces.question``."""

    def __init__(self, traces: Traces, tracer: Tracer | None, kind: str) -> None:
        self._traces = traces
        self._span: Span | None = None
        if tracer is None:
            return
        bound = structlog.contextvars.get_contextvars()
        attributes = {"xnai.request.id": str(bound.get("request_id", "")), "xnai.stream.kind": kind}
        self._span = tracer.start_span("question", kind=SpanKind.SERVER, attributes=attributes)
        self._token = contexts.attach(trace.set_span_in_context(self._span))

    def end(self, state: str, error: BaseException | None, shown: float) -> None:
        """Note how it ended, and that its text was shown from a time of ``time.monotonic()`` on."""
        if self._span is None:
            return
        if shown:
            self._traces.past(self._span, "render", shown, time.monotonic())
        self._span.set_attribute("xnai.stream.state", state)
        if error is not None:
            note(self._span, error)
        contexts.detach(self._token)
        self._span.end()


@contextmanager
def _current(
    tracer: Tracer, name: str, attributes: Mapping[str, str | int | float] | None
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as exc:
            note(span, exc)
            raise


@contextmanager
def _attached(context: contexts.Context) -> Iterator[None]:
    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


def note(span: Span, error: BaseException) -> None:
    """Mark a span as failed, by the error's code alone."""
    if isinstance(error, Exception):
        span.set_attribute("error.type", kind_of(error))
        span.set_status(Status(StatusCode.ERROR))


def kind_of(error: BaseException) -> str:
    """An error's code in the catalogue, or the name of its class."""
    return error.code if isinstance(error, XnaiError) else type(error).__name__


def traceparent(span: Span | None) -> str:
    """The W3C header that makes a remote server's spans part of this trace; empty without one."""
    carrier: dict[str, str] = {}
    if span is not None:
        _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")


def _epoch(moment: float) -> int:
    """Nanoseconds since the epoch of a time of ``time.monotonic()``."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)


traces = Traces()


def spanned(name: str) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Put a span around a coroutine function."""

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @wraps(function)
        async def inside(*args: P.args, **kwargs: P.kwargs) -> T:
            with traces.span(name):
                return await function(*args, **kwargs)

        return inside

    return decorate


def add_trace(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """A structlog processor that names the trace and the span in which a line was written."""
    if traces.on:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event_dict["trace_id"] = trace.format_trace_id(context.trace_id)
            event_dict["span_id"] = trace.format_span_id(context.span_id)
    return event_dict
