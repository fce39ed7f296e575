"""Find what is needed, on the retrieval sets: plain BM25, words alone, the default install, the extra ``[semantic]``.

    retrieval.py [--sets FOLDER] [--semantic] [SET …]

FOLDER holds ``evaluate.py`` and the sets (default: ``../shared/bench/retrieval`` beside the repository); without it the
benchmark says so and ends well. Every ranking runs in a process of its own, over the same sets, one after the other.
Then the product's own path is timed: a cold process that searches the shipped index once, and warm matching over it, in
CPU time, because a shared machine stretches the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SETS = ROOT.parent / "shared" / "bench" / "retrieval"
OURS = "vsm_mcp.testing.retrieval"
RANKINGS = {
    "plain BM25": {"tools": "retrieval:plain", "servers": "retrieval:plain"},
    "words alone": {"tools": f"{OURS}:lexical_tools", "servers": f"{OURS}:lexical_servers"},
    "default": {"tools": f"{OURS}:tools", "servers": f"{OURS}:servers"},
    "[semantic]": {"tools": f"{OURS}:semantic_tools", "servers": f"{OURS}:semantic_servers"},
}
PATH = """
import resource, sys, time
began, started = time.perf_counter(), time.process_time()
from vsm_mcp.discovery.engine import Options, rate
from vsm_mcp.discovery.index import shipped
from vsm_mcp.discovery.wiring import matcher
semantic = sys.argv[1] == "semantic"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def search(need):
    one, index = matcher(semantic), shipped(semantic).get()
    read = one.need(need)
    return [index.candidate(place) for place, _ in index.search(read.query, Options().per_source, read.vector)]
search("convert a time between time zones")
first, spent = time.perf_counter() - began, time.process_time() - started
things = "spreadsheets", "a postgres database", "the weather", "scientific papers", "images", "containers", "mail"
needs = [f"{verb} {thing}" for verb in ("read", "edit", "search", "convert", "send", "watch") for thing in things]
searched, rated = [], []
for need in needs:
    started = time.process_time()
    found = search(need)
    searched.append(1e3 * (time.process_time() - started))
    rate(need, found, matcher(semantic))
    rated.append(1e3 * (time.process_time() - started))
memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
def p95(took):
    return f"{sorted(took)[int(.95 * len(took))]:.1f} ms"
print(f"start to first answer {first:.2f} s ({spent:.2f} s of CPU), then of CPU: a search p95 {p95(searched)}, "
      f"searched and rated p95 {p95(rated)}; {memory:.0f} MB, {shipped(semantic).documents} packages")
"""


class Plain:
    """BM25 over the words of name and description: what everything is compared with."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._ids = [row["id"] for row in rows]
        bags = [Counter(_words(f"{row['name']} {row.get('desc') or ''}")) for row in rows]
        mean = sum(sum(bag.values()) for bag in bags) / max(1, len(bags))
        self._posted: dict[str, list[tuple[int, float]]] = {}
        for place, bag in enumerate(bags):
            norm = 1.5 * (0.25 + 0.75 * sum(bag.values()) / mean)
            for word, count in bag.items():
                self._posted.setdefault(word, []).append((place, count * 2.5 / (count + norm)))

    def search(self, query: str, k: int) -> list[str]:
        """Return up to ``k`` ids."""
        scores: Counter[int] = Counter()
        for word in set(_words(query)):
            posting = self._posted.get(word, [])
            weight = math.log(1 + (len(self._ids) - len(posting) + 0.5) / (len(posting) + 0.5))
            for place, impact in posting:
                scores[place] += weight * impact
        return [self._ids[place] for place, _ in scores.most_common(k)]


def _words(text: str) -> list[str]:
    return "".join(char.lower() if char.isalnum() else " " for char in text).split()


plain = Plain


def evaluated(sets: Path, factory: str, wanted: list[str]) -> list[dict[str, Any]]:
    """Return the lines of ``evaluate.py`` for one ranking."""
    ran = subprocess.run(
        [sys.executable, str(sets / "evaluate.py"), factory, *wanted],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def figures(row: dict[str, Any]) -> str:
    """Return the figure that a set is read by."""
    if "ok@1" in row:
        return f"{row['ok@1']} / {row['P@5']}"
    return f"{row['hit@5']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--semantic", action="store_true", help="also the extra, which takes minutes for each set")
    parser.add_argument("wanted", nargs="*", default=["tools", "servers"])
    options = parser.parse_args()
    if not (options.sets / "evaluate.py").is_file():
        print(f"skipped: the retrieval sets are not at {options.sets}")
        return
    table: dict[str, dict[str, str]] = {}
    names = [name for name in RANKINGS if options.semantic or name != "[semantic]"]
    for name in names:
        for wanted in options.wanted:
            for row in evaluated(options.sets, RANKINGS[name][wanted.split("/")[0]], [wanted]):
                print(json.dumps({"ranking": name, **row}), file=sys.stderr, flush=True)
                table.setdefault(row["set"], {})[name] = f"{figures(row)} ({row['p95_ms']} ms)"
    print(f"| set (hit@5, or ok@1 / P@5; p95 of a query) | {' | '.join(names)} |")
    print(f"|---|{'---|' * len(names)}")
    for name, row in table.items():
        print(f"| {name} | {' | '.join(row.get(ranking, '–') for ranking in names)} |")
    for kind in ["default", *(["semantic"] if options.semantic else [])]:
        print(f"{kind}: ", end="", flush=True)
        subprocess.run([sys.executable, "-c", PATH, kind], check=True)


if __name__ == "__main__":
    main()
