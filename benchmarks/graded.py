"""How often the first servers do what is needed, over the shipped index and catalogue, on needs that were graded.

``tests/unit/discovery/graded.jsonl`` holds 140 needs in the words that servers use and the 96 of ``everyday.toml``,
each with servers that do it, do it in part, or do not. Three orders are measured: the source ``index`` alone,
``discover`` (what is relevant first), and that of ``vsm-mcp search --offline`` but for what it requires: the appraisal
with what the index and the catalogue know. What was never graded counts as wrong, and is counted.

    python benchmarks/graded.py [--semantic]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vsm_mcp.config import load
from vsm_mcp.discovery import suiting
from vsm_mcp.discovery.engine import discover
from vsm_mcp.discovery.index import IndexSource, shipped
from vsm_mcp.discovery.wiring import build_sources, matcher
from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.rank import rank
from vsm_mcp.evaluation.wiring import build_criteria
from vsm_mcp.model.candidate import Candidate

GRADED = Path(__file__).parent.parent / "tests" / "unit" / "discovery" / "graded.jsonl"
FIRST = 5
LOOKED_AT = 24


def main(options: argparse.Namespace) -> None:
    """Find, count, print."""
    graded = [json.loads(line) for line in GRADED.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as home:
        found = asyncio.run(find([each["need"] for each in graded], Path(home), options.semantic))
    print(
        "| needs | order | the first does it | of the first five | do not | never graded |\n|---|---|---|---|---|---|"
    )
    for kind, everyday in (("servers' words", False), ("everyday words", True)):
        some = [each for each in graded if each["everyday"] is everyday]
        for order in ("index", "discover", "search"):
            print(f"| {kind} ({len(some)}) | {order} | {figures(some, lambda need, order=order: found[need][order])} |")


async def find(needs: Sequence[str], home: Path, semantic: bool) -> dict[str, dict[str, Sequence[Candidate]]]:
    """Return what is found for each need, in each order."""
    config = load(home, {"VSM_MCP_DISCOVERY_SOURCES": "catalogue,index", "VSM_MCP_DISCOVERY_SEMANTIC": str(semantic)})
    sources, one = build_sources(config), matcher(semantic)
    return {
        need: {
            "index": await IndexSource(shipped(semantic), one).search(need, 48),
            "discover": (discovered := (await discover(need, sources, one)).candidates),
            "search": appraised(need, discovered, semantic),
        }
        for need in needs
    }


def appraised(need: str, candidates: Sequence[Candidate], semantic: bool) -> Sequence[Candidate]:
    """Return candidates in the order of their appraisal, as a search without a registry shows them."""
    criteria, here = build_criteria(), Circumstances(need=need, now=time.time(), system=sys.platform, network=False)
    ranked = [each.candidate for each in rank(candidates, criteria, here)]
    nearest = suiting.with_nearest(matcher(semantic).need(need), ranked[:LOOKED_AT])
    return [each.candidate for each in rank([*nearest, *ranked[LOOKED_AT:]], criteria, here)]


def figures(graded: Sequence[dict[str, Any]], found: Callable[[str], Sequence[Candidate]]) -> str:
    """Return the cells of a row, in percent but for the last."""
    firsts = right = wrong = unknown = 0
    for each in graded:
        for place, one in enumerate(found(each["need"])[:FIRST]):
            refs = {str(same.ref) for same in (one, *one.others)}
            fits = bool(refs.intersection(each["fits"]))
            firsts += place == 0 and fits
            right += fits
            wrong += not fits and not refs.intersection(each["partly"]) and bool(refs.intersection(each["wrong"]))
            unknown += not refs.intersection([*each["fits"], *each["partly"], *each["wrong"]])
    shares = (100 * firsts / len(graded), 100 * right / FIRST / len(graded), 100 * wrong / FIRST / len(graded))
    return " | ".join([*(f"{share:.1f}" for share in shares), str(unknown)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--semantic", action="store_true")
    main(parser.parse_args())
