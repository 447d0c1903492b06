"""A collector that takes OTLP over HTTP on a free port and keeps what it was sent."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rig.waiting import wait_until


class Collector:
    """What has arrived; ``bodies`` are the requests as they came, decompressed."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        self.services: set[str] = set()

    def take(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        if path == "/v1/traces":
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.services.add(attributes(one.resource)["service.name"])
                self.spans += [span for scope in one.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.services.add(attributes(part.resource)["service.name"])
                for scope in part.scope_metrics:
                    self.metrics.update({metric.name: metric for metric in scope.metrics})

    def wait_for(self, name: str, count: int = 1, seconds: float = 30) -> list[Span]:
        """Wait for so many spans of a name."""

        def found() -> list[Span]:
            spans = [span for span in self.spans if span.name == name]
            return spans if len(spans) >= count else []

        names = f"{count} of {name}"
        return wait_until(found, lambda: f"{names} among {[s.name for s in self.spans]}", seconds)

    def trace_of(self, root: Span) -> list[Span]:
        return [span for span in self.spans if span.trace_id == root.trace_id]


def attributes(holder) -> dict[str, object]:
    """The attributes of a span, a resource or a data point."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    collector = Collector(listener.server_port)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
