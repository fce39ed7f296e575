from __future__ import annotations

import json
from typing import Any

from vsm_mcp.bench import report
from vsm_mcp.bench.document import faults


def spread(median: float) -> dict[str, float]:
    return {"median": median, "least": median / 2, "most": median * 2}


def block(size: int, clients: int, **given: Any) -> dict[str, Any]:
    unsaid = {"cpu": None, "times": None, "rate_times": None}
    shown = {"p50": spread(20.0), "p99": spread(20_000.0), "rate": spread(1234.0)}
    return {"size": size, "clients": clients, "calls": 9, **shown, **unsaid, **given}


def subject(key: str, baseline: str, *blocks: dict[str, Any], **given: Any) -> dict[str, Any]:
    rest: dict[str, Any] = {"memory_idle": None, "memory_after": None, "cpu_idle": None, "examples": []}
    return {"key": key, "title": key.upper(), "baseline": baseline, "blocks": list(blocks), **rest, **given}


DIRECT = subject("http", "", block(100, 1), block(1 << 20, 1), block(100, 64))
GATEWAY = subject(
    "http-stdio",
    "http",
    block(100, 1, times=spread(3.0), cpu=spread(70.0)),
    block(1 << 20, 1, times=spread(2.0)),
    block(100, 64, rate_times=spread(0.5), cpu=spread(25.0)),
    memory_idle=50 << 20,
    memory_after=60 << 20,
    cpu_idle=0.25,
    examples=["lost: closed"],
)
RESULT = {
    "subjects": [DIRECT, GATEWAY],
    "answers": {"right": 7, "wrong": 0, "failed": 0, "lost": 1, "doubled": 2},
    "launches": {"echo-http": spread(0.1)},
}


def test_ratios_come_by_block_and_what_cannot_be_read_is_said() -> None:
    assert report.ratios(RESULT) == [
        ("", "HTTP-STDIO"),
        ("100 B, 1 client: p50, × direct", "3.00 [1.50–6.00]"),
        ("100 B, 1 client: CPU a call", "70 µs"),
        ("1 MiB, 1 client: p50, × direct", "2.00 [1.00–4.00]"),
        ("1 MiB, 1 client: CPU a call", "unavailable"),
        ("100 B, 64 clients: calls/s, × direct", "0.50 [0.25–1.00]"),
        ("100 B, 64 clients: CPU a call", "25 µs"),
        ("memory idle → after", "50 → 60 MiB"),
        ("CPU when idle", "0.25 ms/s"),
    ]


def test_durations_of_all_subjects() -> None:
    rows = report.durations(RESULT)
    assert rows[0] == ("", "HTTP", "HTTP-STDIO")
    assert ("1 MiB, 1 client: p99", "20.0 ms", "20.0 ms") in rows
    assert ("100 B, 64 clients: calls/s", "1234", "1234") in rows


def test_what_went_wrong_is_told() -> None:
    assert faults(RESULT) == 3
    assert report.answers(RESULT) == "7 right, 0 wrong, 0 failed, 1 lost, 2 doubled"
    assert report.examples(RESULT) == ["HTTP-STDIO: lost: closed"]


def test_a_single_endpoint_has_no_ratios_but_what_it_used() -> None:
    alone = {**RESULT, "subjects": [subject("url", "", block(0, 1))], "launches": {}}
    assert ("CPU when idle", "unavailable") in report.ratios(alone)
    assert ("as given, 1 client: p50", "20 µs") in report.durations(alone)
    assert report.launches(alone) == []


def test_tables_of_pages() -> None:
    assert report.markdown(report.launches(RESULT)).splitlines() == [
        "| LAUNCH | FIRST COMPLETE LIST |",
        "|---|---|",
        "| echo-http | 0.10 s [0.05–0.20] |",
    ]
    json.dumps(RESULT)
