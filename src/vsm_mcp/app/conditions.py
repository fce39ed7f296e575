"""How servers are, as ``list``, ``status``, ``inspect``, ``health`` and ``doctor`` show it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.health.check import Reading
from vsm_mcp.health.file import File
from vsm_mcp.runtime.start_limit import Held

UNKNOWN: Final[Mapping[str, Any]] = {
    "state": "",
    "since": 0.0,
    "reason": "",
    "issues": [],
    "attempts": 0,
    "last_attempt": None,
    "stands_in": [],
    "escalated": 0.0,
}
"""What is said of a server that nobody looks at: it does not run, or no daemon does."""


def brief(file: File | None) -> dict[str, Any]:
    """Return how a server is; times in seconds since the epoch, ``eta`` in how many seconds a limit is reached."""
    if file is None:
        return dict(UNKNOWN)
    chart, climb = file.chart, file.climb
    issues = [
        {
            "check": issue.check,
            "severity": str(issue.severity),
            "detail": issue.detail,
            "since": issue.since,
            "eta": None if issue.eta is None else round(issue.eta),
        }
        for issue in chart.issues
    ]
    return {
        "state": str(chart.condition),
        "since": chart.since,
        "reason": chart.reason,
        "issues": issues,
        "attempts": len(climb.attempts),
        "last_attempt": msgspec.to_builtins(climb.attempts[-1]) if climb.attempts else None,
        "stands_in": list(climb.stands_in),
        "escalated": climb.escalated,
    }


def closely(file: File | None, remedies: Iterable[str]) -> dict[str, Any]:
    """Return what ``inspect`` shows besides: the last looks by check, what grows, and where on the ladder it is."""
    if file is None:
        return {"checks": {}, "history": {}, "trends": {}, "ladder": []}
    tried = {attempt.remedy: attempt for attempt in file.climb.attempts}
    return {
        "checks": {name: _reading(reading) for name, reading in file.history.last.items()},
        "history": file.history.shown(),
        "trends": {
            name: {"per_hour": each.slope * 3600, "eta": round(each.eta), "sure": round(each.sure, 1)}
            for name, each in file.trends.items()
        },
        "ladder": [
            {"remedy": name, **({} if name not in tried else msgspec.to_builtins(tried[name]))}
            for name in (*remedies, *(each for each in tried if each not in remedies))
        ],
    }


def doctor_rows(files: Mapping[str, File], held: Held, faults: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return what ``doctor`` says: who waits for a person, who is replaced, whether restarts wait for each other.

    ``faults`` say which checks and remedies cannot be had.
    """
    rows = [_row("warn", fault, "[health] checks and remedies name them") for fault in faults]
    for name, file in sorted(files.items()):
        climb, remedy = file.climb, f"vsm-mcp inspect {name}; vsm-mcp restart {name} begins anew"
        if climb.escalated:
            said = f"{name} waits for a person: {file.chart.reason or 'nothing mended it'}"
            rows.append(_row("fail", said, remedy))
        elif climb.stands_in:
            rows.append(_row("warn", f"{name} is replaced by {', '.join(climb.stands_in)}", remedy))
    if held.waiting > 0:
        said = f"more restarts than {held.per_minute:g} a minute: the next waits {held.waiting:g} s"
        rows.append(_row("warn", said, "vsm-mcp status shows what fails; [health] restarts_per_minute is the limit"))
    return rows


def _row(state: str, detail: str, remedy: str) -> dict[str, Any]:
    return {"name": "health", "state": state, "detail": detail, "remedy": remedy, "remedies": [remedy]}


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "status": str(reading.status),
        "value": reading.value,
        "unit": reading.unit,
        "limit": reading.limit,
        "looked_at": reading.looked_at,
        "detail": reading.detail,
    }
