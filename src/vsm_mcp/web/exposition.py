"""Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 for those who ask for it.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification. The tests
read what is written here with the parsers of the official Prometheus client.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final

from vsm_mcp.web.families import Buckets, Family, Kind, Metric, Sample

PLAIN: Final = b"text/plain; version=0.0.4; charset=utf-8"
OPEN: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
_PIECE: Final = 100
_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_QUOTED: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_UNWRITABLE: Final = re.compile("[\ud800-\udfff]")
_QUALITY: Final = re.compile(r"q\s*=\s*([0-9.]+)")


def wants_open(accept: str) -> bool:
    """Say whether an ``Accept`` field prefers OpenMetrics to plain text (RFC 9110, section 12.5.1)."""
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0, "*/*": 0.0}
    for part in accept.lower().split(","):
        kind, _, parameters = part.partition(";")
        found = _QUALITY.search(parameters)
        kind = kind.strip()
        if kind in weights:
            weights[kind] = max(weights[kind], _number(found[1]) if found else 1.0)
    best = weights["application/openmetrics-text"]
    return best > 0 and best >= max(weights["text/plain"], weights["*/*"])


def written(families: Iterable[Family], *, openly: bool) -> Iterator[bytes]:
    """Yield the text of all families in pieces of at most a hundred samples, so that others run in between.

    ``openly``: as OpenMetrics, with its units and its end mark.
    """
    for family in families:
        lines = [_head(family.metric, openly=openly)]
        for number, sample in enumerate(family.samples, 1):
            lines.append(_of(family, sample))
            if number % _PIECE == 0:
                yield "".join(lines).encode()
                lines.clear()
        yield "".join(lines).encode()
    if openly:
        yield b"# EOF\n"


def labelled(names: Iterable[str], values: Iterable[str]) -> str:
    """Return labels as they are written, without braces; those that are empty are left out, which means the same."""
    return ",".join([f'{name}="{_safe(value)}"' for name, value in zip(names, values, strict=True) if value])


def _head(metric: Metric, *, openly: bool) -> str:
    counts = metric.kind is Kind.COUNTER
    name = f"{metric.name}_total" if counts and not openly else metric.name
    text = metric.help.translate(_QUOTED if openly else _HELP)
    unit = f"# UNIT {name} {metric.unit}\n" if openly and metric.unit else ""
    return f"# HELP {name} {text}\n# TYPE {name} {metric.kind.value}\n{unit}"


def _of(family: Family, sample: Sample | Buckets) -> str:
    metric = family.metric
    labels = labelled(metric.labels, sample.labels)
    if isinstance(sample, Buckets):
        return _histogram(metric.name, labels, sample, family.bounds)
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    return f"{name}{{{labels}}} {_value(sample.value)}\n" if labels else f"{name} {_value(sample.value)}\n"


def _histogram(name: str, labels: str, sample: Buckets, bounds: tuple[float, ...]) -> str:
    before = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
    lines, total = [], 0
    for bound, count in zip((*bounds, math.inf), sample.counts, strict=True):
        total += count
        lines.append(f'{before}le="{_value(bound)}"}} {total}\n')
    around = f"{{{labels}}}" if labels else ""
    lines.append(f"{name}_count{around} {total}\n{name}_sum{around} {_value(sample.sum)}\n")
    return "".join(lines)


def _safe(text: str) -> str:
    return _UNWRITABLE.sub("�", text).translate(_QUOTED)


def _value(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    if value == -math.inf:
        return "-Inf"
    return "NaN" if value != value else repr(value)  # noqa: PLR0124 - only NaN differs from itself


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
