"""What the daemon tells other programs: metrics, events, traces. One part of what is in service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from vsm_mcp.app.calllog import CallLog
from vsm_mcp.app.measures import Measures
from vsm_mcp.app.observing import Observing
from vsm_mcp.app.tracing import Tracer
from vsm_mcp.web import metrics
from vsm_mcp.web.families import Family, Sample
from vsm_mcp.web.pages import Pages
from vsm_mcp.web.stream import EventStream

if TYPE_CHECKING:
    from vsm_mcp.app.application import App
    from vsm_mcp.app.exporting import Otlp


class Telemetry:
    """Metrics, the stream of events, and whoever looks at calls. ``measures.also`` takes parts with their own metrics.

    Calls are looked at only where traces are sent or calls are logged: else the call path asks nobody.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.measures = Measures(app)
        self.measures.also.append(self._own)
        self.stream = EventStream(app.config.telemetry.events_kept)
        self.otlp: Otlp | None = None
        self._tracer: Tracer | None = None
        app.bus.subscribe(self.measures.heard)
        app.bus.subscribe(self.stream)

    def pages(self, *, always: bool = False) -> Pages:
        """Return what answers ``/metrics`` and ``/v1/events``; ``always``: whatever the settings say."""
        return Pages(self.measures.families, self.stream, lambda: self._app.config, always=always)

    def configured(self) -> None:
        """Take in that other settings count from now on."""
        self.stream.configure(self._app.config.telemetry.events_kept)
        if self._tracer is not None:
            self._tracer.sample(self._app.config.telemetry.trace_ratio)
        self._observe()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send traces and metrics while the context lasts, where the settings name a place for them.

        Raises :class:`ConfigError` where that place was named and the library that speaks its language is missing.
        """
        from vsm_mcp.app.exporting import exporting  # noqa: PLC0415 - it may load OpenTelemetry's library

        async with exporting(self._app, self.measures.families) as self.otlp:
            if self.otlp is not None:
                self._tracer = Tracer(self.otlp.record, self._app.config.telemetry.trace_ratio)
            self._observe()
            try:
                yield
            finally:
                self._tracer = None
                self._observe()
                self.stream.close()

    def _observe(self) -> None:
        settings = self._app.config.log
        log = CallLog(settings) if settings.calls != "off" and self._app.serving else None
        watched = self._tracer is not None or log is not None
        self._app.gateway.observe(Observing(self._tracer, log) if watched else None)

    def _own(self) -> Iterator[Family]:
        yield Family(metrics.FOLLOWERS, [Sample((), len(self.stream.readers))])
        yield Family(metrics.DROPPED, [Sample((), self.stream.dropped)])
        if self.otlp is not None:
            yield from self.otlp.families()
