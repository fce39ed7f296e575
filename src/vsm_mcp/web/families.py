"""What a metric is: its declaration, and what was measured of it at one moment.

Names follow Prometheus' conventions (base units, ``_total`` for counters, https://prometheus.io/docs/practices/naming/)
and the same families go to OpenTelemetry: there is one set of numbers, read in two formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Kind(StrEnum):
    """How the values of a metric behave: a counter only grows, a gauge goes up and down, a histogram counts sizes."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True):
    """The declaration of a metric: its name without a counter's ``_total``, its ``unit`` is the name's last word."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""


class Sample(NamedTuple):
    """One value of a counter or a gauge; ``labels`` in the order of the declaration, an empty one is left out."""

    labels: tuple[str, ...]
    value: float


class Buckets(NamedTuple):
    """One histogram: how many fell into each bucket (one more than there are bounds), and the sum of their sizes."""

    labels: tuple[str, ...]
    counts: Sequence[int]
    sum: float


class Family(NamedTuple):
    """What was measured of one metric. ``bounds`` are the upper bounds of a histogram's buckets."""

    metric: Metric
    samples: Sequence[Sample | Buckets]
    bounds: tuple[float, ...] = ()
