"""What is written is what the official parsers read, whatever is in labels and texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families as read_plain

from vsm_mcp.web.exposition import wants_open, written
from vsm_mcp.web.families import Buckets, Family, Kind, Metric, Sample

read_open: Callable[[str], Iterable[Any]] = open_parser.text_string_to_metric_families

CALLS = Metric("demo_calls", Kind.COUNTER, 'Calls with a \\ and a "quote"\nin two lines.', ("server", "tool"))
LEVEL = Metric("demo_level", Kind.GAUGE, "A level.", ("server",))
TOOK = Metric("demo_took_seconds", Kind.HISTOGRAM, "How long it took.", ("server",), "seconds")
BOUNDS = (0.1, 1.0, 2.5)
TEXT = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=30)
"""The parser takes a carriage return for the end of a line wherever it is; the format itself does not."""


def text_of(*families: Family, openly: bool = False) -> str:
    return b"".join(written(families, openly=openly)).decode()


def samples(families: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("openly", [False, True])
@given(server=TEXT, tool=TEXT, count=st.integers(0, 2**53), level=st.floats(allow_nan=False))
def test_any_label_and_any_value_is_read_back(openly: bool, server: str, tool: str, count: int, level: float) -> None:
    text = text_of(
        Family(CALLS, [Sample((server, tool), count)]), Family(LEVEL, [Sample((server,), level)]), openly=openly
    )
    found = samples((read_open if openly else read_plain)(text))
    both = tuple((name, value) for name, value in (("server", server), ("tool", tool)) if value)
    assert found["demo_calls_total", both] == count
    assert found["demo_level", both[:1] if server else ()] == level


@pytest.mark.parametrize("openly", [False, True])
@given(counts=st.lists(st.integers(0, 1000), min_size=4, max_size=4), seconds=st.floats(0, 1e6))
def test_a_histogram_is_cumulative_and_complete(openly: bool, counts: list[int], seconds: float) -> None:
    text = text_of(Family(TOOK, [Buckets(("x",), counts, seconds)], BOUNDS), openly=openly)
    found = samples((read_open if openly else read_plain)(text))
    upper = [str(bound) for bound in BOUNDS] + ["+Inf"]
    totals = [found["demo_took_seconds_bucket", (("le", bound), ("server", "x"))] for bound in upper]
    assert totals == [sum(counts[: place + 1]) for place in range(4)]
    assert found["demo_took_seconds_count", (("server", "x"),)] == sum(counts)
    assert found["demo_took_seconds_sum", (("server", "x"),)] == seconds


def test_help_type_and_unit_are_said() -> None:
    families = (Family(CALLS, []), Family(TOOK, [], BOUNDS))
    plain, openly = text_of(*families), text_of(*families, openly=True)
    assert [(family.name, family.type, family.documentation) for family in read_plain(plain)] == [
        ("demo_calls", "counter", CALLS.help),
        ("demo_took_seconds", "histogram", TOOK.help),
    ]
    found = list(read_open(openly))
    assert [(family.name, family.unit, family.documentation) for family in found] == [
        ("demo_calls", "", CALLS.help),
        ("demo_took_seconds", "seconds", TOOK.help),
    ]
    assert openly.endswith("# EOF\n")


def test_values_that_are_no_numbers_and_text_that_is_no_unicode() -> None:
    text = text_of(
        Family(LEVEL, [Sample(("a\ud800b",), math.nan), Sample(("up",), math.inf), Sample(("d",), -math.inf)])
    )
    found = {labels[0][1]: value for (_, labels), value in samples(read_plain(text)).items()}
    assert math.isnan(found["a�b"])
    assert (found["up"], found["d"]) == (math.inf, -math.inf)


def test_many_samples_come_in_pieces_that_make_the_same_text() -> None:
    many = Family(LEVEL, [Sample((str(number),), number) for number in range(250)])
    pieces = list(written([many], openly=False))
    assert len(pieces) == 3
    assert len(samples(read_plain(b"".join(pieces).decode()))) == 250


@pytest.mark.parametrize(
    ("accept", "openly"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", True),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=1.2.3", False),
    ],
)
def test_the_format_is_the_one_that_is_preferred(accept: str, openly: bool) -> None:
    assert wants_open(accept) is openly
