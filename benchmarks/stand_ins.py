"""How often a tool that is said to stand in for another really can: on real tools, labelled by hand.

    python benchmarks/stand_ins.py            the measure, and what each threshold would give
    python benchmarks/stand_ins.py --wrong    the pairs that were missed, and those that were wrong
    python benchmarks/stand_ins.py --scale    time and memory with 10,000 tools of 1,000 servers

``data/stand_in_tools.jsonl.gz`` holds the tools of 57 servers as their ``tools/list`` showed them,
``data/stand_in_pairs.tsv`` which of them can stand in for which. Every other pair of tools of two servers is taken for
a wrong one. Servers in ``KEPT`` were labelled before the rules had met them. The labels do not look at annotations and
output schemas, so there are two figures: by names and arguments alone, which the threshold was chosen by, and by all
rules, which is what is used: there most pairs fall because a server says nothing of its effects.
"""

from __future__ import annotations

import gc
import gzip
import json
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vsm_mcp.app.capabilities import compatibility, reader
from vsm_mcp.model.capability import Effects
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.capabilities import Known
from vsm_mcp.routing.compatibility import LEAST_LIKENESS, Compatibility, judge
from vsm_mcp.routing.shapes import Shape

DATA = Path(__file__).parent / "data"
THRESHOLDS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
KEPT = frozenset(
    ["calcnook", "code-runner", "csv-database", "echarts", "gnomon", "hello-world", "pandoc", "python-interpreter"]
).union(["stamp", "sympy", "timer"])

Pair = tuple[str, str, str, str]


class Measure(NamedTuple):
    """Of ``said`` pairs ``right`` are labelled as such, of ``all_`` labelled ones."""

    said: int
    right: int
    all_: int

    @property
    def precision(self) -> float:
        """Of what was said, how much is right."""
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        """Of what is right, how much was said."""
        return self.right / self.all_

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f} ({self.right} of {self.said})  "
            f"recall {self.recall:.3f} ({self.right} of {self.all_})"
        )


def servers() -> list[dict[str, Any]]:
    """Return the records of the data set: server, ref, version, tags, tools."""
    with gzip.open(DATA / "stand_in_tools.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def labelled() -> set[Pair]:
    """Return the pairs that are right."""
    lines = (DATA / "stand_in_pairs.tsv").read_text("utf-8").splitlines()
    return {tuple(line.split("\t")) for line in lines if line and not line.startswith("#")}  # type: ignore[misc]


def shapes(records: list[dict[str, Any]], *, bare: bool) -> list[Shape]:
    """Return the tools, read; ``bare`` ones say nothing of what they do and give, besides their names and arguments."""
    found = [
        shape
        for record in records
        for shape in reader().shapes(record["server"], offer(record), Known(tags=tuple(record["tags"])))
    ]
    return [msgspec.structs.replace(one, effects=Effects(), output=None) for one in found] if bare else found


def offer(record: Mapping[str, Any]) -> Offer:
    """Return what a server of the data set offers."""
    tools = ((tool["name"], json.dumps(tool).encode()) for tool in record["tools"])
    return Offer(items=tuple(Definition(kind=ItemKind.TOOL, name=name, raw=raw) for name, raw in tools))


def said(tools: list[Shape]) -> dict[Pair, float]:
    """Return what is said to stand in for what, whatever the threshold, with how alike they are."""
    worlds = compatibility().worlds
    found: dict[Pair, float] = {}
    for own in tools:
        for other in tools:
            if own.server != other.server and own.action == other.action and own.tags.keys() & other.tags.keys():
                verdict = judge(own, other, worlds, least=0.0)
                if not verdict.reasons:
                    found[(*own.key, *other.key)] = verdict.stand_in.likeness
    return found


def kept(pairs: Iterable[Pair]) -> set[Pair]:
    """Return the pairs of servers that the rules were not made with."""
    return {pair for pair in pairs if KEPT.intersection((pair[0], pair[2]))}


def measured(found: Mapping[Pair, float], right: set[Pair], least: float) -> Measure:
    """Return the measure at a threshold."""
    at = {pair for pair, likeness in found.items() if likeness >= least}
    return Measure(len(at), len(at & right), len(right))


def main() -> None:
    records, right = servers(), labelled()
    tools = shapes(records, bare=False)
    print(f"{len(tools)} tools of {len(records)} servers, {len(right)} pairs labelled as right")
    alone, all_rules = said(shapes(records, bare=True)), said(tools)
    for least in THRESHOLDS:
        print(f"likeness >= {least:.2f}, names and arguments alone: {measured(alone, right, least)}")
    unseen = {pair: alone[pair] for pair in kept(alone)}
    print(f"at {LEAST_LIKENESS:.2f}, servers kept apart: {measured(unseen, kept(right), LEAST_LIKENESS)}")
    print(f"at {LEAST_LIKENESS:.2f}, all rules: {measured(all_rules, right, LEAST_LIKENESS)}")
    if "--wrong" in sys.argv:
        for line in wrong(alone, right):
            print(line)
    if "--scale" in sys.argv:
        scale(records)


def wrong(found: Mapping[Pair, float], right: set[Pair]) -> Iterator[str]:
    """Yield the pairs on which the labels and the product differ."""
    at = {pair for pair, likeness in found.items() if likeness >= LEAST_LIKENESS}
    yield from (f"wrong:  {' '.join(pair)} {found[pair]}" for pair in sorted(at - right))
    yield from (f"missed: {' '.join(pair)} {found.get(pair, 'by a rule')}" for pair in sorted(right - at))


def scale(records: list[dict[str, Any]], wanted: int = 1_000, tools: int = 10) -> None:
    """Print what 1,000 servers with 10 tools each cost: the tools of the data set over and over, under other names."""
    every = [(record["tags"], tool) for record in records for tool in record["tools"]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matrix = compatibility()
    began = time.process_time()
    for number in range(wanted):
        mine = [every[(number * 37 + step) % len(every)] for step in range(tools)]
        record = {"tools": [tool for _, tool in mine]}
        matrix.put(f"s{number}", reader().shapes(f"s{number}", offer(record), Known(tags=tuple(mine[0][0]))))
    read = time.process_time() - began
    print(f"reading {wanted * tools} tools: {read:.2f} s of CPU, {read / wanted * 1e3:.2f} ms a server")
    print(f"memory: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MiB more")
    _asked(matrix, wanted)


def _asked(matrix: Compatibility, wanted: int) -> None:
    gc.collect()
    gc.freeze()  # as the daemon does once it is set up
    times = []
    for number in range(0, wanted, 10):
        for tool in matrix.tools(f"s{number}"):
            began = time.process_time()
            matrix.stand_ins(f"s{number}", tool)
            times.append(time.process_time() - began)
    times.sort()
    print(f"who stands in for a tool: median {times[len(times) // 2] * 1e3:.2f} ms, worst {times[-1] * 1e3:.2f} ms")
    began = time.process_time()
    for _ in range(10):
        for tool in matrix.tools("s0"):
            matrix.stand_ins("s0", tool)
    print(f"asked again: {(time.process_time() - began) / 10 / max(1, len(matrix.tools('s0'))) * 1e6:.1f} µs a tool")


if __name__ == "__main__":
    main()
