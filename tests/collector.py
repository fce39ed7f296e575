"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP on loopback, and reads what it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

READ: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Collector:
    """What arrived: ``spans`` and ``metrics`` (the latest of each name) as they were sent, and the header fields.

    ``status`` is what is answered; ``hang`` has every request wait.
    """

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.resources: list[dict[str, str]] = []
        self.fields: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.status = 200
        self.hang = threading.Event()
        self.hang.set()
        self.endpoint = ""

    def take(self, path: str, body: bytes, fields: dict[str, str]) -> None:
        """Read one export."""
        self.raw.append(body)
        self.fields.append(fields)
        found = READ[path].FromString(body)
        for of_resource in getattr(found, "resource_spans", ()):
            self.resources.append(values(of_resource.resource.attributes))
            for scope in of_resource.scope_spans:
                self.spans += scope.spans
        for of_resource in getattr(found, "resource_metrics", ()):
            self.resources.append(values(of_resource.resource.attributes))
            for scope in of_resource.scope_metrics:
                self.metrics.update({metric.name: metric for metric in scope.metrics})


def values(attributes: Any) -> dict[str, str]:
    """Return attributes as a dictionary; all of ours are strings."""
    return {each.key: each.value.string_value for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run one for as long as the context lasts."""
    collector = Collector()

    class Taker(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.hang.wait(20)
            if collector.status == 200:
                collector.take(self.path, body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        collector.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()
