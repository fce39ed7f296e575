"""One table of figures from result files of the load generator: ``figures.py RESULT.json … > table.md``.

Each ratio is the median, over the rounds of one run, of what a target took to what the same server took without any
gateway in the same round. CPU is that of the gateway's processes (servers excluded), for each call. What was measured,
and how to do it again: ``benchmarks/README.md``.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Results = dict[str, dict[str, dict[str, list[dict[str, Any]]]]]
Figure = Callable[[Results, str], str]

OURS = "vsm-mcp"
BASE = "direct-http"


def rows(results: Results, scenario: str, target: str, block: str) -> list[dict[str, Any]]:
    """Return the rounds of one block, none where it was not measured."""
    return results.get(scenario, {}).get(target, {}).get(block, [])


def by_round(found: Iterable[dict[str, Any]], key: str) -> dict[int, float]:
    """Return one value of each round."""
    return {row["round"]: row[key] for row in found if row.get(key) is not None}


def ratio(scenario: str, block: str, key: str = "p50", base: str = BASE) -> Figure:
    """Return the figure that compares with the same server asked directly."""

    def read(results: Results, target: str) -> str:
        ours = by_round(rows(results, scenario, target, block), key)
        direct = by_round(rows(results, scenario, base, block), key)
        found = [ours[number] / direct[number] for number in ours if direct.get(number)]
        return f"{statistics.median(found):.2f} ×" if found else "–"

    return read


def value(scenario: str, block: str, key: str, form: str, scale: float = 1.0) -> Figure:
    """Return the figure that is the median of a value over the rounds."""

    def read(results: Results, target: str) -> str:
        found = [row[key] * scale for row in rows(results, scenario, target, block) if row.get(key) is not None]
        return form.format(statistics.median(found)) if found else "–"

    return read


def plain(scenario: str, block: str, form: str) -> Figure:
    """Return the figure that a block gives as a bare number."""

    def read(results: Results, target: str) -> str:
        found: list[Any] = rows(results, scenario, target, block)
        return form.format(statistics.median(found)) if found else "–"

    return read


def twenty_to_one(results: Results, target: str) -> str:
    """Return what a call costs behind 20 servers of 50 tools, to what it costs behind one."""
    many = [row["gw_cpu_us"] for row in rows(results, "list1000", target, "call100")]
    few = [row["gw_cpu_us"] for row in rows(results, "list100", target, "call100")]
    return f"{statistics.median(many) / statistics.median(few):.2f} ×" if many and few else "–"


def started(count: int) -> Figure:
    """Return how long it took from the launch to the first complete list."""

    def read(results: Results, target: str) -> str:
        found = [row["complete"] for row in rows(results, "startup", target, f"n{count}")]
        return f"{statistics.median(found):.2f} s" if found else "–"

    return read


def a_session(results: Results, target: str) -> str:
    """Return how much memory a session takes that has its connection open, of 500 opened one after another."""
    found = [
        (row["turn"]["mem"]["rss_mb"] - row["mem0"]["rss_mb"]) * 1024 / row["turn"]["opened"]
        for row in rows(results, "sessions", target, "run")
        if row.get("turn")
    ]
    return f"{statistics.median(found):.1f} KB" if found else "–"


def at_once(results: Results, target: str) -> str:
    """Return how long it took to open 500 sessions at once and to call once in each."""
    found = [row["conc"]["secs"] for row in rows(results, "sessions", target, "run") if row.get("conc")]
    return f"{statistics.median(found):.2f} s" if found else "–"


def mistakes(results: Results, target: str) -> str:
    """Count errors of every block, less those of the kill, which has to have some."""
    count = 0
    for scenario, targets in results.items():
        if scenario != "kill":
            for block in targets.get(target, {}).values():
                count += sum(sum(row["errors"].values()) for row in block if isinstance(row, dict) and "errors" in row)
    return str(count)


FIGURES: tuple[tuple[str, str, Figure], ...] = (
    ("p50 of a 100-byte call, HTTP → stdio", "≤ 3.0 ×", ratio("call", "call100")),
    ("CPU a call, one after the other", "≤ 75 µs", value("call", "call100", "gw_cpu_us", "{:.0f} µs")),
    ("CPU a call, 64 clients", "≤ 30 µs", value("call", "load64", "gw_cpu_us", "{:.0f} µs")),
    ("calls/s at 64 clients", "≥ 0.45 ×", ratio("call", "load64", "calls_s")),
    ("64 KiB answers", "≤ 2.2 ×", ratio("call", "call64k")),
    ("1 MiB answers", "≤ 3.0 ×", ratio("call", "call1m")),
    ("HTTP → HTTP: CPU a call, 64 clients", "≤ 60 µs", value("callhttp", "load64", "gw_cpu_us", "{:.0f} µs")),
    ("HTTP → HTTP: p50", "≤ 3.5 ×", ratio("callhttp", "call100")),
    ("tools/list, 1,000 tools of 20 servers: p50", "≤ 1.0 ×", ratio("list1000", "list")),
    ("the same: CPU", "≤ 0.8 ms", value("list1000", "list", "gw_cpu_us", "{:.2f} ms", 0.001)),
    ("CPU of a call behind 20 × 50 tools to one behind 1 × 100", "≤ 1.1 ×", twenty_to_one),
    ("launch → complete list, 1 server", "≤ 0.35 s", started(1)),
    ("launch → complete list, 30 servers", "≤ 0.35 s", started(30)),
    ("memory, idle (RSS of all its processes)", "≤ 60 MB", value("call", "mem_idle", "rss_mb", "{:.0f} MB")),
    ("memory, after load", "≤ +10 MB", value("call", "mem_after", "rss_mb", "{:.0f} MB")),
    ("memory for each session", "≤ 4 KB", a_session),
    ("500 sessions at once", "≤ 0.6 s", at_once),
    ("kill -9 of a server: error after", "≤ 20 ms", value("kill", "run", "inflight_s", "{:.0f} ms", 1000)),
    ("… next good call after", "≤ 0.25 s", value("kill", "run", "recovered_same_session_s", "{:.2f} s")),
    ("stdio → stdio: p50", "≤ 3.0 ×", ratio("stdio", "call100", base="direct-stdio")),
    ("CPU when idle, a server", "≤ 0.5 ms/s", plain("call", "idle_cpu_ms_per_s", "{:.2f} ms/s")),
    ("wrong, lost or doubled answers", "0", mistakes),
)


def main(paths: list[str]) -> None:
    """Print the table, one column for each target that was measured."""
    results: Results = {}
    for path in paths:
        found = json.loads(Path(path).read_text("utf-8"))
        for scenario, targets in found["results"].items():
            for target, blocks in targets.items():
                results.setdefault(scenario, {}).setdefault(target, {}).update(blocks)
    measured = {target for targets in results.values() for target in targets} - {BASE, "direct-stdio"}
    columns = [OURS, *sorted(measured - {OURS})]
    print("| figure | to reach | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name, wanted, figure in FIGURES:
        print(f"| {name} | {wanted} | " + " | ".join(figure(results, target) for target in columns) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
