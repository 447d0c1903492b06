"""Every figure under ``/metrics``: names, labels and what they mean."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry

import xnai
from xnai.errors import CATALOGUE
from xnai.observability.genai import GenAi
from xnai.observability.instruments import OTHER, Gauge, Histogram, Instruments, Label
from xnai.observability.resource import resource

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROUTES = 100  # templates of the port, Chainlit's included
_NAMED = 500  # breakers and endpoints, which the settings name


class BreakerFigures(NamedTuple):
    """One breaker's figures; ``state`` is its number, ``calls`` are counted by outcome."""

    name: str
    state: int
    calls: Mapping[str, int]
    open_seconds: float


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
    """Every figure under ``/metrics``; labels take values of small sets only.

    The provider is our own: whatever a library makes of OpenTelemetry's global one is not ours.
    """

    def __init__(self) -> None:
        exported = CollectorRegistry()
        reader = PrometheusMetricReader(
            disable_target_info=True, scope_info_enabled=False, registry=exported
        )
        self._provider = MeterProvider(
            [reader],
            resource=resource(),
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        make = Instruments(self._provider.get_meter("xnai", xnai.__version__))
        self._instruments = make
        self.registry = CollectorRegistry()
        self.registry.register(make.families(exported))
        self.genai = GenAi(make)
        self._make_model(make)
        self._make_answers(make)
        self._make_documents(make)
        self._make_breakers(make)
        self._make_endpoints(make)
        self._make_server(make)

    def _make_model(self, make: Instruments) -> None:
        self.model_ready = make.gauge("xnai.model.ready", "1: the model can answer.")
        self.model_loads = make.counter("xnai.model.loads", "Times a model was loaded.")
        self.model_restarts = make.counter(
            "xnai.model.restarts", "Times the model's process ended by itself."
        )
        self.model_deaths = make.counter(
            "xnai.model.deaths", "Ends of the model's process, by cause.", "cause"
        )
        self.model_speed = make.gauge(
            "xnai.model.speed",
            "Tokens a second that the model reads or writes alone, as measured; 0: not yet.",
            "direction",
        )
        for direction in ("read", "write"):
            self.model_speed.labels(direction).set(0)
        self.model_run = make.gauge(
            "xnai.model.run",
            "1 for how the model is run: copy, threads, tokens of a chunk, spin count.",
            "copy",
            "threads",
            "chunk",
            "spin",
        )
        self.queue_depth = make.gauge("xnai.queue.depth", "Questions waiting for the model.")
        self.requests_running = make.gauge(
            "xnai.requests.running", "Answers that the model works on."
        )
        self.queue_wait_seconds = make.histogram(
            "xnai.queue.wait", "From joining the queue of the model to the turn.", SECONDS
        )
        self.prompt_tokens = make.counter("xnai.prompt.tokens", "Tokens of prompts answered.")
        self.prefilled_tokens = make.counter(
            "xnai.prefilled.tokens", "Tokens of prompts that the model read."
        )
        self.reused_tokens = make.counter(
            "xnai.reused.tokens", "Tokens of prompts found in the cache."
        )
        self.completion_tokens = make.counter("xnai.completion.tokens", "Tokens generated.")

    def _make_answers(self, make: Instruments) -> None:
        self.streams_active = make.gauge("xnai.streams.active", "Answers being produced now.")
        self.streams_ended = make.counter(
            "xnai.streams.ended", "Answers that ended, by how.", "state"
        )
        self.answer_seconds = make.histogram("xnai.answer", "Whole answers.", SECONDS)
        self.first_token_seconds = make.histogram(
            "xnai.first_token", "From the question to the first text of its answer.", SECONDS
        )
        self.search_stage_seconds = make.histogram(
            "xnai.search.stage", "Steps of a search.", _STAGE_SECONDS, "stage"
        )
        self.search_ready = make.gauge("xnai.search.ready", "1: documents can be searched.")

    def _make_documents(self, make: Instruments) -> None:
        self.documents = make.counter("xnai.documents", "Documents read, by result.", "result")
        for result in ("processed", "error"):
            self.documents.labels(result)
        self.pages = make.counter("xnai.document.pages", "Pages read.")
        self.chunks = make.counter("xnai.document.chunks", "Chunks embedded.")
        self.ingest_seconds = make.histogram("xnai.ingest", "Reading one document.", SECONDS)
        self.ingest_stage_seconds = make.histogram(
            "xnai.ingest.stage", "Steps of reading one document.", SECONDS, "stage"
        )

    def _make_breakers(self, make: Instruments) -> None:
        def name() -> Label:
            return Label("name", limit=_NAMED)

        self._breaker_state = make.gauge(
            "xnai.breaker.state",
            "0: closed, 1: open, 2: half-open, 3: forced open, 4: disabled, 5: metrics only.",
            name(),
        )
        self._breaker_calls = make.counter(
            "xnai.breaker.calls",
            "Calls through a breaker, by outcome; slow ones are among the others.",
            name(),
            "outcome",
        )
        self._breaker_open = make.counter(
            "xnai.breaker.open", "Time that a breaker was not closed.", name(), unit="s"
        )
        self.breaker_transitions = make.counter(
            "xnai.breaker.transitions",
            "Changes of a breaker's state, by the new one.",
            name(),
            "state",
        )
        self.breaker_probes = make.counter(
            "xnai.breaker.probes", "Probes of a breaker, by result.", name(), "result"
        )
        self.retries = make.counter(
            "xnai.retries",
            "Calls that failed and could be made again: tried, or why they were not.",
            Label("dependency", limit=_NAMED),
            "result",
        )

    def _make_endpoints(self, make: Instruments) -> None:
        def endpoint() -> Label:
            return Label("endpoint", limit=_NAMED)

        self.remote_up = make.gauge(
            "xnai.remote.up", "1: the model endpoint can be asked.", endpoint()
        )
        self.remote_in_flight = make.gauge(
            "xnai.remote.in_flight", "Answers under way at a model endpoint.", endpoint()
        )
        self.remote_answers = make.counter(
            "xnai.remote.answers",
            "Answers of a model endpoint: answered, failed, cancelled.",
            endpoint(),
            "result",
        )

    def _make_server(self, make: Instruments) -> None:
        self.event_loop_lag = make.histogram(
            "xnai.event_loop.lag", "How late the server's event loop wakes up.", _LAG_SECONDS
        )
        self.tasks = make.gauge("xnai.tasks", "Tasks in the event loop.")
        self.sessions = make.gauge("xnai.sessions", "Pages that are known.")
        self.memory_bytes: Gauge = make.gauge(
            "xnai.process.memory",
            "Resident memory of the server and of its model and parser processes.",
            Label("process", ("server", "model", "parser")),
            unit="By",
        )
        self.disk_free_bytes = make.gauge(
            "xnai.disk.free", "Bytes left where the data folder is.", unit="By"
        )
        self._errors = make.counter(
            "xnai.errors",
            "Errors told to people and clients.",
            Label("code", (*CATALOGUE, OTHER)),
        )
        for code in CATALOGUE:  # what begins at zero is seen to rise the first time
            self._errors.labels(code)
        self._requests = make.counter(
            "xnai.http.requests", "Responses sent.", Label("route", limit=_ROUTES), "status"
        )
        build = make.gauge("xnai.build.info", "The running version.", "version")
        build.labels(xnai.__version__).set(1)

    def show_breakers(self, figures: Sequence[BreakerFigures]) -> None:
        """Take in what the breakers have counted up to now."""
        for one in figures:
            self._breaker_state.labels(one.name).set(one.state)
            self._breaker_open.labels(one.name).set(one.open_seconds)
            for outcome, count in one.calls.items():
                self._breaker_calls.labels(one.name, outcome).set(count)

    def error(self, code: str) -> None:
        """Count an error of the catalogue."""
        self._errors.labels(code).inc()

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

    def settle(self, least: int = 0) -> None:
        """Hand over to the SDK what histograms have taken; for a moment when nobody waits.

        Fewer values than ``least`` are left for later: many in a row cost little each.
        """
        self._instruments.settle(least)

    def text(self) -> bytes:
        """The figures in the text format of Prometheus 0.0.4."""
        return prometheus_client.generate_latest(self.registry)

    def add_reader(self, reader: MetricReader) -> None:
        """Have the figures read by somebody else too."""
        self._provider.add_metric_reader(reader)

    def remove_reader(self, reader: MetricReader) -> None:
        """Have them read no longer."""
        self._provider.remove_metric_reader(reader)
