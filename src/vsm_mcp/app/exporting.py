"""Sends spans and metrics over OTLP while the daemon runs. Nobody waits for it: what cannot be sent is dropped.

Where it goes is said by ``[telemetry] otlp_endpoint``, or by the environment variables of OpenTelemetry that other
programs on a machine go by (``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_SERVICE_NAME``,
``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_SDK_DISABLED``); headers, which may hold a secret, by the environment alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import vsm_mcp
from vsm_mcp.config import Config
from vsm_mcp.errors import ConfigError
from vsm_mcp.events import Emit, ExportFailed, ExportResumed
from vsm_mcp.web import metrics
from vsm_mcp.web.families import Family, Sample
from vsm_mcp.web.place import Place
from vsm_mcp.web.spans import Span

if TYPE_CHECKING:
    from vsm_mcp.app.application import App
    from vsm_mcp.web.otlp import Sender

_QUEUE: Final = 8192
_BATCH: Final = 512
_SPANS_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 3.0
_INSTALL: Final = "pip install 'vsm-mcp[otel]'"


def place_of(config: Config) -> Place | None:
    """Return where spans and metrics go; ``None``: nowhere. Raises :class:`ConfigError` for what is no URL."""
    environ, named = config.environ, config.telemetry.otlp_endpoint
    other = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").startswith("grpc")  # its port speaks no HTTP
    endpoint = named or ("" if other else environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
    if not endpoint or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if not _is_url(endpoint):
        raise ConfigError("[telemetry] otlp_endpoint is no http(s) URL", "write http://localhost:4318")
    resource = {"service.version": vsm_mcp.__version__, **_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))}
    resource["service.name"] = environ.get("OTEL_SERVICE_NAME") or resource.get("service.name") or "vsm-mcp"
    headers = _pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
    return Place(endpoint=endpoint, headers=headers, resource=resource, named=bool(named))


@contextlib.asynccontextmanager
async def exporting(app: App, families: Callable[[], Iterable[Family]]) -> AsyncIterator[Otlp | None]:
    """Send while the context lasts; ``None`` where nothing is sent. On leaving, what is left has three seconds.

    Raises :class:`ConfigError` where the settings name a place and the library is not installed.
    """
    place = place_of(app.config)
    sender = None if place is None else _sender(place, app)
    if place is None or sender is None:
        yield None
        return
    otlp = Otlp(sender, place.shown, app.bus.emit)
    running = [asyncio.create_task(otlp.send_spans()), asyncio.create_task(otlp.send_metrics(families, app))]
    try:
        yield otlp
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await otlp.finish(families)


def _sender(place: Place, app: App) -> Sender | None:
    try:
        from vsm_mcp.web.otlp import Sender  # noqa: PLC0415 - a third of a second, for those who use it
    except ModuleNotFoundError as error:
        if place.named:
            raise ConfigError(f"[telemetry] otlp_endpoint needs a library: {error.name}", _INSTALL) from error
        app.bus.emit(ExportFailed(signal="all", reason=f"{place.shown}: {error.name} is not installed ({_INSTALL})"))
        return None
    return Sender(place, app.started)


class Otlp:
    """What waits to be sent, and how sending went. ``record`` takes a span from the call path, and never waits."""

    def __init__(self, sender: Sender, shown: str, emit: Emit) -> None:
        self._sender = sender
        self._shown = shown
        self._emit = emit
        self._waiting: deque[Span] = deque()
        self._much = asyncio.Event()
        self._spans: Counter[str] = Counter()
        self._exports: Counter[tuple[str, str]] = Counter()
        self._broken: set[str] = set()
        self._worker = Worker()

    def record(self, span: Span) -> None:
        """Take a span; with too many waiting already it is dropped."""
        if len(self._waiting) >= _QUEUE:
            self._spans["dropped"] += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= _BATCH:
            self._much.set()

    def families(self) -> Iterator[Family]:
        """Yield how sending went."""
        yield Family(metrics.SPANS, [Sample((outcome,), count) for outcome, count in self._spans.items()])
        yield Family(metrics.EXPORTS, [Sample(labels, count) for labels, count in self._exports.items()])

    async def send_spans(self) -> None:
        """Send what waits, every second or as soon as it is much, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SPANS_SECONDS):
                    await self._much.wait()
            self._much.clear()
            while self._waiting:
                await self._batch()

    async def send_metrics(self, families: Callable[[], Iterable[Family]], app: App) -> None:
        """Send metrics every ``otlp_seconds``, for ever."""
        while True:
            await asyncio.sleep(app.config.telemetry.otlp_seconds)
            await self._measured(families)

    async def finish(self, families: Callable[[], Iterable[Family]]) -> None:
        """Send what is left, for at most three seconds; then nothing any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while self._waiting:
                    await self._batch()
                await self._measured(families)
        self._sender.close()
        self._worker.end()

    async def _batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
        taken = await self._worker.run(lambda: self._sender.spans(batch))
        self._spans["exported" if taken else "dropped"] += len(batch)
        self._went("traces", taken=taken)

    async def _measured(self, families: Callable[[], Iterable[Family]]) -> None:
        measured, now = list(families()), time.time()
        self._went("metrics", taken=await self._worker.run(lambda: self._sender.metrics(measured, now)))

    def _went(self, signal: str, *, taken: bool) -> None:
        self._exports[signal, "taken" if taken else "failed"] += 1
        if not taken and signal not in self._broken:
            self._broken.add(signal)
            self._emit(ExportFailed(signal=signal, reason=f"{self._shown} does not take them"))
        elif taken and signal in self._broken:
            self._broken.discard(signal)
            self._emit(ExportResumed(signal=signal))


class Worker:
    """A thread that may hang: it does one thing after another, and nobody waits for its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], bool], asyncio.Future[bool]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="otlp", daemon=True).start()

    async def run(self, job: Callable[[], bool]) -> bool:
        """Have a job done and return what it returns."""
        done: asyncio.Future[bool] = self._loop.create_future()
        self._jobs.put((job, done))
        return await done

    def end(self) -> None:
        """Take no more jobs."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, done = task
            outcome = job()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, done, outcome)


def _settle(done: asyncio.Future[bool], outcome: bool) -> None:
    if not done.done():
        done.set_result(outcome)


def _pairs(text: str) -> dict[str, str]:
    """Read ``name=value,…`` with values percent-encoded (OpenTelemetry, "Protocol Exporter", on headers)."""
    pairs: Iterator[Any] = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
