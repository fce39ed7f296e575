"""How often a tool at hand counts as doing what is needed, rightly and wrongly.

The everyday needs of ``tests/unit/discovery/{unseen,everyday}.toml``, each with the tags of which a server that meets
it bears one, against the tools of 57 servers (``data/stand_in_tools.jsonl.gz``). A server without such a tag counts as
wrong, also where it would do by chance: the figures of wrong ones are upper bounds.

    python benchmarks/met.py
"""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

from vsm_mcp.discovery import suiting
from vsm_mcp.matching.relevance import MET

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "benchmarks" / "data" / "stand_in_tools.jsonl.gz"
NEEDS = [ROOT / "tests" / "unit" / "discovery" / f"{name}.toml" for name in ("unseen", "everyday")]


def main() -> None:
    """Judge every need by every server's tools, and count."""
    servers = [json.loads(line) for line in gzip.decompress(TOOLS.read_bytes()).splitlines()]
    texts = {each["server"]: [_text(tool, each["server"]) for tool in each["tools"]] for each in servers}
    tags = {each["server"]: set(each["tags"]) for each in servers}
    there = met = wrong = pairs = needs = impossible = nonsense = 0
    for document in (tomllib.loads(path.read_text("utf-8")) for path in NEEDS):
        for need, wanted in document["needs"].items():
            fit = {name for name in texts if suiting.best(need, texts[name])[1] >= MET}
            right = {name for name in texts if tags[name] & set(wanted)}
            needs += 1
            there += bool(right)
            met += bool(fit & right)
            wrong += bool(fit - right)
            pairs += len(fit - right)
        for need in document.get("impossible", ()):
            nonsense += 1
            impossible += any(suiting.best(need, each)[1] >= MET for each in texts.values())
    print(f"{len(servers)} servers, {needs} needs, {nonsense} impossible ones; met from {MET} on")
    print(f"met by a server of the right kind: {met} of {there} for which there is one")
    print(f"met by one of another kind: {wrong} of {needs} needs, {pairs} of {needs * len(servers)} pairs")
    print(f"impossible needs met: {impossible} of {nonsense}")


def _text(tool: dict[str, object], server: str) -> suiting.ToolText:
    name = str(tool["name"])
    return suiting.tool_text(tool, name, name, server)


if __name__ == "__main__":
    main()
