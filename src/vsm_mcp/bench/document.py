"""The result of a measurement as one JSON document (``"schema": 1`` is added where it is printed)."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vsm_mcp import __version__
from vsm_mcp.bench.figures import Figures, Noise, spread
from vsm_mcp.bench.measure import Rest
from vsm_mcp.bench.plan import Plan
from vsm_mcp.bench.question import RIGHT
from vsm_mcp.bench.subject import Subject


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured beside the blocks; ``idle`` and ``after`` by pid, ``launches`` in seconds by program."""

    figures: Sequence[Figures]
    noise: Noise
    idle: Mapping[int, Rest]
    after: Mapping[int, Rest]
    launches: Mapping[str, Sequence[float]]
    tier: str


def document(plan: Plan, subjects: Sequence[Subject], observed: Observed, machine: dict[str, Any]) -> dict[str, Any]:
    """Return the document. Durations of calls are microseconds, of launches seconds, memory is bytes."""
    counts = [subject.tally.counts for subject in subjects]
    return {
        "version": __version__,
        "machine": machine,
        "plan": msgspec.to_builtins(plan),
        "tier": observed.tier,
        "noise": msgspec.to_builtins(observed.noise),
        "answers": {fate: sum(count[fate] for count in counts) for fate in counts[0]},
        "subjects": [_subject(subject, observed) for subject in subjects],
        "launches": {name: msgspec.to_builtins(spread(taken)) for name, taken in observed.launches.items()},
    }


def faults(result: dict[str, Any]) -> int:
    """Return how many calls of a document were not answered as they should be."""
    return sum(int(count) for fate, count in result["answers"].items() if fate != RIGHT)


def _subject(subject: Subject, observed: Observed) -> dict[str, Any]:
    metered = subject.pid if subject.pid is not None else -1
    idle, after = observed.idle.get(metered), observed.after.get(metered)
    return {
        "key": subject.key,
        "title": subject.title,
        "baseline": subject.baseline,
        "pid": subject.pid,
        "memory_idle": idle.memory if idle else None,
        "memory_after": after.memory if after else None,
        "cpu_idle": idle.cpu if idle else None,
        "answers": subject.tally.counts,
        "examples": subject.tally.examples,
        "blocks": [_block(figures) for figures in observed.figures if figures.subject == subject.key],
    }


def _block(figures: Figures) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(figures)
    del fields["subject"]
    return {**fields.pop("block"), **fields}


def machine() -> dict[str, Any]:
    """Return what the measurement runs on, and the load before it."""
    load = os.getloadavg()[0]
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(load, 2),
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
