"""Logs and metrics: one format for every line, one registry for every figure."""

import logging
import re
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor, WrappedLogger

import xnai
from xnai.errors import CATALOGUE
from xnai.settings import Settings

PRIVATE = "[private]"
_PRIVATE_NAMES = frozenset(
    {
        *("answer", "body", "content", "messages", "passage", "passages", "prompt", "query"),
        *("question", "quote", "text", "token"),
        *("api_key", "api_keys", "authorization", "cookie", "password", "secret", "set-cookie"),
    }
)
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s'\",]+")
_CHATTY = ("httpx", "httpcore", "markitdown", "pdfminer", "engineio", "socketio", "watchfiles")

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Redact:
    """A structlog processor that takes out secrets and what documents and people say.

    Values under a private name are replaced at any depth, numbers excepted; ``secrets`` and
    bearer tokens are replaced wherever they stand in a line, tracebacks of libraries included.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def __call__(self, _: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
        """The line without what is private."""
        return {name: self._clean(name, value) for name, value in event_dict.items()}

    def _clean(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, (int, float)):
            return value
        if name.lower() in _PRIVATE_NAMES:
            return PRIVATE
        if isinstance(value, Mapping):
            return {key: self._clean(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._clean("", item) for item in value]
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, PRIVATE)
            return _BEARER.sub(rf"\1{PRIVATE}", value)
        return value


def configure_logging(settings: Settings) -> None:
    """Send the lines of structlog and of every library's ``logging`` through one format.

    May be called again: uvicorn installs its own handlers when it is configured, so the runtime
    repeats the call when the server starts.
    """
    level = settings.log_level
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Redact(_secrets(settings)),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _adopt_libraries(level)
    logging.captureWarnings(capture=True)


def _secrets(settings: Settings) -> list[str]:
    keys = [key.get_secret_value() for key in (*settings.api_keys, settings.llm_api_key)]
    password = urlsplit(settings.redis_url.get_secret_value()).password or ""
    return [*keys, password, unquote(password)]


def _renderer(log_format: Literal["console", "json"]) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    # The default formatter of exceptions prints local variables, document text among them.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _adopt_libraries(level: str) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "chainlit"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"
    if level != "debug":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)


class BreakerFigures(NamedTuple):
    """One breaker's figures; ``state`` is its number, ``calls`` are counted by outcome."""

    name: str
    state: int
    calls: Mapping[str, int]
    open_seconds: float


class BreakerCollector(Collector):
    """Shows what the breakers count for themselves."""

    def __init__(self) -> None:
        self.figures: Sequence[BreakerFigures] = ()

    def collect(self) -> Iterator[Metric]:
        """The three families, also while there are no breakers."""
        state = GaugeMetricFamily(
            "xnai_breaker_state",
            "0: closed, 1: open, 2: half-open, 3: forced open, 4: disabled, 5: metrics only.",
            labels=["name"],
        )
        calls = CounterMetricFamily(
            "xnai_breaker_calls",
            "Calls through a breaker, by outcome; slow ones are among the others.",
            labels=["name", "outcome"],
        )
        seconds = CounterMetricFamily(
            "xnai_breaker_open_seconds", "Time that a breaker was not closed.", labels=["name"]
        )
        for figures in self.figures:
            state.add_metric([figures.name], figures.state)
            seconds.add_metric([figures.name], figures.open_seconds)
            for outcome, count in figures.calls.items():
                calls.add_metric([figures.name, outcome], count)
        yield from (state, calls, seconds)


class AnswerWatch:
    """Times one answer; made by ``Metrics.answering``."""

    def __init__(self, first_token: Histogram) -> None:
        self._first_token: Histogram | None = first_token
        self.started = time.monotonic()

    def token(self) -> None:
        """Note that text was produced; only the first call counts."""
        if self._first_token is not None:
            self._first_token.observe(time.monotonic() - self.started)
            self._first_token = None


class Metrics:
    """Every figure under ``/metrics``; labels take values of small fixed sets only."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.model_loads = Counter(
            "xnai_model_loads", "Times a model was loaded.", registry=registry
        )
        self.model_restarts = Counter(
            "xnai_model_restarts", "Times the model's process ended by itself.", registry=registry
        )
        self.model_deaths = Counter(
            "xnai_model_deaths",
            "Ends of the model's process, by cause.",
            ["cause"],
            registry=registry,
        )
        self.streams_active = Gauge(
            "xnai_streams_active", "Answers being produced now.", registry=registry
        )
        self.streams_ended = Counter(
            "xnai_streams_ended", "Answers that ended, by how.", ["state"], registry=registry
        )
        self.queue_depth = Gauge(
            "xnai_queue_depth", "Questions waiting for the model.", registry=registry
        )
        self.requests_running = Gauge(
            "xnai_requests_running", "Answers that the model works on.", registry=registry
        )
        self.queue_wait_seconds = Histogram(
            "xnai_queue_wait_seconds",
            "From joining the queue of the model to the turn.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "xnai_answer_seconds", "Whole answers.", buckets=_SECONDS, registry=registry
        )
        self.first_token_seconds = Histogram(
            "xnai_first_token_seconds",
            "From the question to the first text of its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.prompt_tokens = Counter(
            "xnai_prompt_tokens", "Tokens of prompts answered.", registry=registry
        )
        self.prefilled_tokens = Counter(
            "xnai_prefilled_tokens", "Tokens of prompts that the model read.", registry=registry
        )
        self.reused_tokens = Counter(
            "xnai_reused_tokens", "Tokens of prompts found in the cache.", registry=registry
        )
        self.completion_tokens = Counter(
            "xnai_completion_tokens", "Tokens generated.", registry=registry
        )
        self.documents = Counter(
            "xnai_documents", "Documents read, by result.", ["result"], registry=registry
        )
        self.pages = Counter("xnai_document_pages", "Pages read.", registry=registry)
        self.chunks = Counter("xnai_document_chunks", "Chunks embedded.", registry=registry)
        self.ingest_seconds = Histogram(
            "xnai_ingest_seconds", "Reading one document.", buckets=_SECONDS, registry=registry
        )
        self._breakers = BreakerCollector()
        registry.register(self._breakers)
        self.breaker_transitions = Counter(
            "xnai_breaker_transitions",
            "Changes of a breaker's state, by the new one.",
            ["name", "state"],
            registry=registry,
        )
        self.breaker_probes = Counter(
            "xnai_breaker_probes",
            "Probes of a breaker, by result.",
            ["name", "result"],
            registry=registry,
        )
        self.retries = Counter(
            "xnai_retries",
            "Calls that failed and could be made again: tried, or why they were not.",
            ["dependency", "result"],
            registry=registry,
        )
        self.remote_up = Gauge(
            "xnai_remote_up",
            "1: the model endpoint can be asked.",
            ["endpoint"],
            registry=registry,
        )
        self.remote_in_flight = Gauge(
            "xnai_remote_in_flight",
            "Answers under way at a model endpoint.",
            ["endpoint"],
            registry=registry,
        )
        self.remote_answers = Counter(
            "xnai_remote_answers",
            "Answers of a model endpoint: answered, failed, cancelled.",
            ["endpoint", "result"],
            registry=registry,
        )
        self.event_loop_lag = Histogram(
            "xnai_event_loop_lag_seconds",
            "How late the server's event loop wakes up.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self.tasks = Gauge("xnai_tasks", "Tasks in the event loop.", registry=registry)
        self.sessions = Gauge("xnai_sessions", "Pages that are known.", registry=registry)
        self._errors = Counter(
            "xnai_errors", "Errors told to people and clients.", ["code"], registry=registry
        )
        self._requests = Counter(
            "xnai_http_requests", "Responses sent.", ["route", "status"], registry=registry
        )
        Info("xnai_build", "The running version.", registry=registry).info(
            {"version": xnai.__version__}
        )

    def show_breakers(self, figures: Sequence[BreakerFigures]) -> None:
        """Take in what the breakers have counted up to now."""
        self._breakers.figures = figures

    def error(self, code: str) -> None:
        """Count an error of the catalogue."""
        self._errors.labels(code if code in CATALOGUE else "other").inc()

    def request(self, route: str, status: int) -> None:
        """Count a response; ``route`` is a template such as ``/v1/files/{id}``, never a path."""
        self._requests.labels(route, str(status)).inc()

    def document(self, result: Literal["processed", "error", "stopped"]) -> None:
        """Count the end of an ingest."""
        self.documents.labels(result).inc()

    @contextmanager
    def answering(self) -> Iterator[AnswerWatch]:
        """Time an answer, however it ends."""
        watch = AnswerWatch(self.first_token_seconds)
        try:
            yield watch
        finally:
            self.answer_seconds.observe(time.monotonic() - watch.started)

    def text(self) -> bytes:
        """The figures in the text format of Prometheus 0.0.4."""
        return prometheus_client.generate_latest(self.registry)


# Time stamps of a series' creation would double the number of lines.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
metrics = Metrics()
