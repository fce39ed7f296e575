"""What telemetry costs: the ledger and traces for each call, ``/metrics`` for each reader, the exporter's library once.

    .venv/bin/python benchmarks/telemetry.py

The figures are in ``docs/benchmarks.md``. Nothing is started and nothing is sent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable

from msgspec import Raw

from vsm_mcp.app.tracing import Tracer
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.view import View
from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.ledger import BOUNDS, Ledger
from vsm_mcp.routing.table import Route
from vsm_mcp.web import exposition, metrics
from vsm_mcp.web.families import Buckets, Family, Sample

ROUNDS = 5
PARENT = Raw(b'"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"')
ASLEEP = Raw(b'"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"')


def microseconds(work: Callable[[], object], count: int) -> float:
    """Return what one of ``count`` runs takes, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            work()
        best = min(best, time.process_time() - began)
    return 1e6 * best / count


def traced(meta: dict[str, Raw] | None, ratio: float) -> float:
    """Return what looking at one call costs, from its begin to its end."""
    kept: deque[object] = deque(maxlen=1000)
    tracer = Tracer(kept.append, ratio)
    route, caller = Route("server", "tool"), Caller(View(1, 100), modern=True)
    request = Request(b"7", "tools/call", {}, meta)

    def once() -> None:
        leg = tracer.begin(route, request, caller, time.monotonic())
        if leg is not None:
            leg.onto(meta)
            leg.ended(Ending.ANSWERED, None)

    return microseconds(once, 20_000)


def scrape(tools: int) -> tuple[float, int]:
    """Return milliseconds of one answer of ``/metrics`` about so many tools that were called, and its bytes."""
    ledger = Ledger()
    for number in range(tools):
        account = ledger.of(f"server-{number // 50:02}", f"tool_{number:04}")
        account.note(Ending.ANSWERED, 0.004)
        account.note(Ending.TOOL_ERROR, 0.1)
    found = ledger.accounts()
    names = [ending.name.lower() for ending in Ending]

    def once() -> bytes:
        calls = [
            Sample((server, "", tool, names[place]), count)
            for (server, tool), account in found.items()
            for place, count in enumerate(account.endings)
            if count
        ]
        took = [Buckets((key[0], "", key[1]), account.buckets, account.seconds) for key, account in found.items()]
        families = [Family(metrics.CALLS, calls), Family(metrics.DURATIONS, took, BOUNDS)]
        return b"".join(exposition.written(families, openly=False))

    return microseconds(once, 3) / 1000, len(once())


def library() -> tuple[float, float]:
    """Return seconds and megabytes that loading OpenTelemetry's exporters takes."""
    code = (
        "import psutil, time; own = psutil.Process(); import vsm_mcp.app; before = own.memory_info().rss;"
        "began = time.perf_counter(); import vsm_mcp.web.otlp;"
        "print(time.perf_counter() - began, own.memory_info().rss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    seconds, size = done.stdout.split()
    return float(seconds), float(size) / 2**20


def main() -> None:
    ledger = Ledger()
    print(f"ledger, one call: {microseconds(lambda: ledger.of('s', 't').note(Ending.ANSWERED, 0.004), 100_000):.2f} us")
    print(f"traced, its caller has no trace: {traced(None, 1.0):.1f} us")
    print(f"traced, its caller has one: {traced({'traceparent': PARENT}, 1.0):.1f} us")
    print(f"not traced, one in a thousand is: {traced(None, 0.001):.1f} us")
    print(f"not traced, its caller said so: {traced({'traceparent': ASLEEP}, 1.0):.1f} us")
    for tools in (100, 1000):
        took, size = scrape(tools)
        print(f"/metrics of {tools} tools: {took:.1f} ms, {size / 1024:.0f} KiB")
    seconds, size = library()
    print(f"OpenTelemetry's exporters, where they are used: {seconds:.2f} s, {size:.0f} MB")


if __name__ == "__main__":
    main()
