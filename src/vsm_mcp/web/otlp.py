"""Spans and metrics as OpenTelemetry's own, sent over OTLP/HTTP: the only module that loads OpenTelemetry's library.

Its exporters encode and send; what is sent is made here from what the gateway has anyway, because the library's own
recording costs more for each call than the call (``docs/adr/0017``). Everything here runs in a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

import vsm_mcp
from vsm_mcp.model.trace_context import TraceContext
from vsm_mcp.web.families import Buckets, Family, Kind, Sample
from vsm_mcp.web.place import Place
from vsm_mcp.web.spans import Span

_SECONDS: Final = 5.0
_SCOPE: Final = InstrumentationScope("vsm_mcp", vsm_mcp.__version__)
_FAILED: Final = Status(StatusCode.ERROR)
_UNSET: Final = Status(StatusCode.UNSET)
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


class Sender:
    """Sends to one place; its methods block for at most five seconds each, and raise nothing."""

    def __init__(self, place: Place, started: float) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # an event says it, once, and not at every try
        base, headers = place.endpoint.rstrip("/"), dict(place.headers)
        self._spans = OTLPSpanExporter(f"{base}/v1/traces", headers=headers, timeout=_SECONDS)
        self._metrics = OTLPMetricExporter(f"{base}/v1/metrics", headers=headers, timeout=_SECONDS)
        self._resource = Resource(dict(place.resource))
        self._started = int(1e9 * started)

    def spans(self, spans: Sequence[Span]) -> bool:
        """Send spans; return whether they were taken."""
        try:
            return self._spans.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - whatever a library raises, calls go on
            return False

    def metrics(self, families: Sequence[Family], now: float) -> bool:
        """Send metrics as they are at ``now`` (seconds since the epoch); return whether they were taken."""
        try:
            return self._metrics.export(self._data(families, int(1e9 * now))) is MetricExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - as above
            return False

    def close(self) -> None:
        """Try nothing again."""
        self._spans.shutdown()  # type: ignore[no-untyped-call] # the library has no types here
        self._metrics.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(span.context, remote=False),
            parent=None if span.parent is None else _context(span.parent, remote=True),
            resource=self._resource,
            attributes=dict(span.attributes),
            kind=SpanKind.SERVER,
            status=_FAILED if span.failed else _UNSET,
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=_SCOPE,
        )

    def _data(self, families: Sequence[Family], now: int) -> MetricsData:
        metrics = [self._metric(family, now) for family in families if family.samples]
        scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
        return MetricsData([ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")])

    def _metric(self, family: Family, now: int) -> Metric:
        metric = family.metric
        data: Sum | Gauge | Histogram
        if metric.kind is Kind.HISTOGRAM:
            data = Histogram([self._histogram(family, each, now) for each in family.samples], _CUMULATIVE)
        elif metric.kind is Kind.COUNTER:
            data = Sum([self._number(family, each, now) for each in family.samples], _CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge([self._number(family, each, now) for each in family.samples])
        unit = {"seconds": "s", "bytes": "By"}.get(metric.unit, "1")
        return Metric(name=metric.name, description=metric.help, unit=unit, data=data)

    def _number(self, family: Family, sample: Sample | Buckets, now: int) -> NumberDataPoint:
        if isinstance(sample, Buckets):
            raise TypeError(f"{family.metric.name} holds a histogram")
        return NumberDataPoint(_labels(family, sample.labels), self._started, now, sample.value)

    def _histogram(self, family: Family, sample: Sample | Buckets, now: int) -> HistogramDataPoint:
        if isinstance(sample, Sample):
            raise TypeError(f"{family.metric.name} holds something that is no histogram")
        return HistogramDataPoint(
            attributes=_labels(family, sample.labels),
            start_time_unix_nano=self._started,
            time_unix_nano=now,
            count=sum(sample.counts),
            sum=sample.sum,
            bucket_counts=list(sample.counts),
            explicit_bounds=list(family.bounds),
            min=None,  # type: ignore[arg-type] # nobody keeps them; the protocol lets them be left out
            max=None,  # type: ignore[arg-type]
        )


def _labels(family: Family, values: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in zip(family.metric.labels, values, strict=True) if value}


def _context(context: TraceContext, *, remote: bool) -> SpanContext:
    return SpanContext(int(context.trace, 16), int(context.span, 16), remote, TraceFlags(TraceFlags.SAMPLED))
