"""Spans and metrics arrive at a collector as OpenTelemetry wants them; a collector that fails harms nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.collector import Collector, collecting, values

from vsm_mcp.app.exporting import Otlp, place_of
from vsm_mcp.config import Config
from vsm_mcp.errors import ConfigError
from vsm_mcp.events import Event, ExportFailed, ExportResumed
from vsm_mcp.model.telemetry_settings import TelemetrySettings
from vsm_mcp.model.trace_context import TraceContext
from vsm_mcp.web.families import Buckets, Family, Kind, Metric, Sample
from vsm_mcp.web.otlp import Sender
from vsm_mcp.web.place import Place
from vsm_mcp.web.spans import Span

TRACE, PARENT, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"
CALLS = Metric("demo_calls", Kind.COUNTER, "Calls.", ("server", "tool"))
TOOK = Metric("demo_took_seconds", Kind.HISTOGRAM, "How long.", ("server",), "seconds")
MEASURED = [
    Family(CALLS, [Sample(("a", ""), 7)]),
    Family(TOOK, [Buckets(("a",), (1, 2, 3), 4.5)], (0.1, 1.0)),
    Family(Metric("demo_level", Kind.GAUGE, "Level."), [Sample((), 0.5)]),
    Family(Metric("demo_empty", Kind.GAUGE, "Nothing."), []),
]


def span(name: str = "tools/call x", *, failed: bool = False) -> Span:
    context = TraceContext(TRACE, SPAN, sampled=True)
    parent = TraceContext(TRACE, PARENT, sampled=True)
    return Span(name, context, parent, 1_000, 2_000, {"mcp.method.name": "tools/call"}, failed)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def otlp_to(endpoint: str, told: list[Event]) -> Otlp:
    place = Place(endpoint=endpoint, headers={"x-key": "s3cret"}, resource={"service.name": "vsm-mcp"})
    return Otlp(Sender(place, 100.0), place.shown, told.append)


async def test_spans_arrive_with_their_parents(collector: Collector) -> None:
    told: list[Event] = []
    otlp = otlp_to(collector.endpoint, told)
    otlp.record(span())
    otlp.record(span("tools/call y", failed=True))
    await otlp.finish(list)
    one, other = collector.spans
    assert (one.name, one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex()) == (
        "tools/call x", TRACE, SPAN, PARENT,
    )  # fmt: skip
    assert (one.start_time_unix_nano, one.end_time_unix_nano, one.kind) == (1_000, 2_000, 2)  # SPAN_KIND_SERVER
    assert values(one.attributes) == {"mcp.method.name": "tools/call"}
    assert (one.status.code, other.status.code) == (0, 2)  # unset, error
    assert collector.resources[0]["service.name"] == "vsm-mcp"
    assert collector.fields[0]["x-key"] == "s3cret"
    assert told == []


async def test_metrics_arrive_as_what_they_are(collector: Collector) -> None:
    otlp = otlp_to(collector.endpoint, [])
    await otlp.finish(lambda: MEASURED)
    calls, took, level = (collector.metrics[name] for name in ("demo_calls", "demo_took_seconds", "demo_level"))
    assert (calls.sum.is_monotonic, calls.sum.aggregation_temporality) == (True, 2)  # cumulative
    (point,) = calls.sum.data_points
    assert (point.as_int, values(point.attributes), point.start_time_unix_nano) == (7, {"server": "a"}, int(100e9))
    (point,) = took.histogram.data_points
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([1, 2, 3], [0.1, 1.0])
    assert (point.count, point.sum, took.unit) == (6, 4.5, "s")
    assert not point.HasField("min")
    assert level.gauge.data_points[0].as_double == 0.5
    assert "demo_empty" not in collector.metrics


async def test_a_collector_that_refuses_is_said_once_and_forgiven(collector: Collector) -> None:
    told: list[Event] = []
    otlp = otlp_to(collector.endpoint, told)
    collector.status = 400
    for _ in range(3):
        otlp.record(span())
        await otlp._batch()
    (failed,) = told
    assert isinstance(failed, ExportFailed)
    assert failed.signal == "traces"
    assert "s3cret" not in failed.reason
    collector.status = 200
    otlp.record(span())
    await otlp._batch()
    assert told[1:] == [ExportResumed(signal="traces")]
    assert len(collector.spans) == 1
    counted = {family.metric.name: {sample[0]: sample[1] for sample in family.samples} for family in otlp.families()}
    assert counted == {
        "vsm_mcp_spans": {("dropped",): 3, ("exported",): 1},
        "vsm_mcp_exports": {("traces", "failed"): 3, ("traces", "taken"): 1},
    }
    await otlp.finish(list)


async def test_what_waits_is_bounded_and_a_collector_that_hangs_delays_no_end(collector: Collector) -> None:
    collector.hang.clear()
    otlp = otlp_to(collector.endpoint, [])
    for _ in range(9000):
        otlp.record(span())
    assert otlp._spans["dropped"] == 9000 - 8192
    sending = asyncio.create_task(otlp.send_spans())
    await asyncio.sleep(0)
    began = time.monotonic()
    sending.cancel()
    await asyncio.wait([sending])
    await otlp.finish(list)
    assert time.monotonic() - began < 5
    collector.hang.set()


async def test_nobody_there_is_a_failure_like_any_other() -> None:
    otlp = otlp_to("http://127.0.0.1:9", [])
    otlp.record(span())
    await otlp.finish(list)
    assert otlp._spans["exported"] == 0


def config(tmp: Path, environ: dict[str, str], **given: Any) -> Config:
    return Config(home=tmp, environ=environ, telemetry=TelemetrySettings(**given))


def test_where_it_goes_is_said_by_the_settings_or_by_the_environment(tmp_path: Path) -> None:
    assert place_of(config(tmp_path, {})) is None
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:pw@collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,y=1",
        "OTEL_SERVICE_NAME": "gate",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=prod",
    }
    place = place_of(config(tmp_path, environ))
    assert place is not None
    assert (place.endpoint, place.named, dict(place.headers)) == (
        "http://user:pw@collector:4318", False, {"authorization": "Bearer x", "y": "1"},
    )  # fmt: skip
    assert (place.resource["service.name"], place.resource["deployment.environment"]) == ("gate", "prod")
    assert repr(place) == "Place('http://collector:4318')"
    named = place_of(config(tmp_path, environ, otlp_endpoint="https://other"))
    assert named is not None
    assert (named.endpoint, named.named) == ("https://other", True)
    assert place_of(config(tmp_path, {**environ, "OTEL_SDK_DISABLED": "true"})) is None
    assert place_of(config(tmp_path, {**environ, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})) is None
    with pytest.raises(ConfigError, match="otlp_endpoint"):
        place_of(config(tmp_path, {}, otlp_endpoint="collector:4318"))
