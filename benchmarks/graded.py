"""How often the first servers do what is needed, over the shipped index and catalogue, on needs that were graded.

``tests/unit/discovery/graded.jsonl`` holds 140 needs in the words that servers use and the 96 of ``everyday.toml``,
each with servers that do it, do it in part, or do not. Three orders are measured: the source ``index`` alone,
``discover`` (what is relevant first), and that of ``vsm-mcp search``, where no registry is asked but with
``--registry``. What was never graded does not count as right, and is counted.

    python benchmarks/graded.py [--semantic] [--registry]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vsm_mcp.app.looking import Looking
from vsm_mcp.config import load
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.index import IndexSource, shipped
from vsm_mcp.discovery.wiring import build_sources, matcher
from vsm_mcp.errors import NothingFound
from vsm_mcp.model.candidate import Candidate

GRADED = Path(__file__).parent.parent / "tests" / "unit" / "discovery" / "graded.jsonl"
FIRST = 5


def main(options: argparse.Namespace) -> None:
    """Find, count, print."""
    graded = [json.loads(line) for line in GRADED.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as home:
        found = asyncio.run(find([each["need"] for each in graded], Path(home), options))
    print(
        "| needs | order | the first does it | of the first five | do not | never graded |\n|---|---|---|---|---|---|"
    )
    for kind, everyday in (("servers' words", False), ("everyday words", True)):
        some = [each for each in graded if each["everyday"] is everyday]
        for order in ("index", "discover", "search"):
            print(f"| {kind} ({len(some)}) | {order} | {figures(some, lambda need, order=order: found[need][order])} |")


async def find(needs: Sequence[str], home: Path, options: argparse.Namespace) -> dict[str, dict[str, list[set[str]]]]:
    """Return what is found for each need, in each order: of each server the references that it is known by."""
    semantic: bool = options.semantic
    given = {"VSM_MCP_DISCOVERY_SOURCES": "catalogue,index", "VSM_MCP_DISCOVERY_SEMANTIC": str(semantic)}
    if not options.registry:
        given["VSM_MCP_DISCOVERY_DESCRIBE_BEST"] = "0"
    config = load(home, {**os.environ, **given})
    sources, one = build_sources(config), matcher(semantic)
    index = IndexSource(shipped(semantic), one)
    async with Looking(config) as looking:
        return {
            need: {
                "index": references(await index.search(need, Options().per_source)),
                "discover": references((await discover(need, sources, one)).candidates),
                "search": await searched(looking, need),
            }
            for need in needs
        }


def references(found: Sequence[Candidate]) -> list[set[str]]:
    """Return the references of candidates."""
    return [{str(same.ref) for same in (one, *one.others)} for one in found]


async def searched(looking: Looking, need: str) -> list[set[str]]:
    """Return the references of what ``vsm-mcp search`` shows."""
    try:
        document = await looking.operate("search", json.dumps({"need": need, "limit": FIRST}).encode())
    except NothingFound:
        return []
    return [{row["ref"], *row["others"]} for row in document["candidates"]]


def figures(graded: Sequence[dict[str, Any]], found: Callable[[str], Sequence[set[str]]]) -> str:
    """Return the cells of a row, in percent but for the last."""
    firsts = right = wrong = unknown = 0
    for each in graded:
        for place, refs in enumerate(found(each["need"])[:FIRST]):
            fits = bool(refs.intersection(each["fits"]))
            firsts += place == 0 and fits
            right += fits
            wrong += not fits and not refs.intersection(each["partly"]) and bool(refs.intersection(each["wrong"]))
            unknown += not refs.intersection([*each["fits"], *each["partly"], *each["wrong"]])
    shares = (100 * firsts / len(graded), 100 * right / FIRST / len(graded), 100 * wrong / FIRST / len(graded))
    return " | ".join([*(f"{share:.1f}" for share in shares), str(unknown)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--semantic", action="store_true", help="with the extra of this name")
    parser.add_argument("--registry", action="store_true", help="let searches ask the registries of this machine")
    main(parser.parse_args())
