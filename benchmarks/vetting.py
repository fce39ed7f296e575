"""Judge labelled tool definitions and print recall and false positives for each source, and what disguises change.

    vetting.py [FILE] [--kept FOLDER] [--no-variants] [--show MISSED|FALSE]

FILE is JSON lines with ``description``, ``params``, ``label`` and ``source`` (default:
``../shared/bench/vetting/tools.jsonl`` beside the repository); without it only our own texts are judged. Nothing is
fitted when this runs: the rules are fixed, so every source is measured as it is. A disguise is applied to the
description of every poisoned row; the last column says how much recall it costs.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import json
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vsm_mcp.vetting.definitions import judge_definitions

ROOT = Path(__file__).parent.parent
ROWS = ROOT.parent / "shared" / "bench" / "vetting" / "tools.jsonl"
OURS = ROOT / "tests" / "unit" / "vetting"
ALIKE = str.maketrans("aeopcxyiAEOPCXTHKMB", "аеорсхуіАЕОРСХТНКМВ")
LEET = str.maketrans("oleast", "013457")
DISGUISES: Mapping[str, Callable[[str], str]] = {
    "zero-width": "\u200b".join,
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "tag characters": lambda text: "Helps. " + "".join(chr(0xE0000 + ord(c)) if " " <= c <= "~" else c for c in text),
    "Cyrillic": lambda text: text.translate(ALIKE),
    "half Cyrillic": lambda text: "".join(c.translate(ALIKE) if i % 2 else c for i, c in enumerate(text)),
    "letter-spaced": lambda text: " ".join(text.replace(" ", "  ")),
    "base64": lambda text: "Helps. " + base64.b64encode(text.encode()).decode(),
    "base64, wrapped": lambda text: "Helps.\n" + base64.encodebytes(text.encode()).decode(),
    "hexadecimal": lambda text: "Helps. " + text.encode().hex(),
    "percent signs": lambda text: "Helps. " + quote(text, safe=""),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "leetspeak": lambda text: text.translate(LEET),
    "upper case": str.upper,
    "wrapped lines": lambda text: "\n".join(text.split(" ")),
}
Row = Mapping[str, Any]


def definition(row: Row, disguise: Callable[[str], str] = str) -> Row:
    """Return what is judged of a row: its name, description and parameters, never its label."""
    params = row.get("params") or {}
    found: dict[str, Any] = {"name": row.get("tool") or row.get("name") or "tool"}
    found["description"] = disguise(row.get("description") or "")
    if isinstance(params, str):
        return {"tool": found["name"], "description": found["description"], "params": params}
    properties = {name: {"type": "string", "description": said} for name, said in params.items()}
    return found | {"inputSchema": {"type": "object", "properties": properties}}


def verdicts(rows: Sequence[Row], disguise: Callable[[str], str] = str) -> list[str]:
    """Return the verdict of each row."""
    return [item.verdict for item in judge_definitions(definition(row, disguise) for row in rows)]


def rates(found: Sequence[str]) -> tuple[float, float]:
    """Return the shares of blocks, and of blocks or reviews."""
    count = max(1, len(found))
    return found.count("block") / count, (len(found) - found.count("pass")) / count


def own(kind: str) -> list[dict[str, Any]]:
    """Return our own texts, written before the rules: ``seen`` were looked at afterwards, ``kept`` never."""
    rows = tomllib.loads((OURS / f"unseen_{kind}.toml").read_text("utf-8"))["definition"]
    return [row | {"source": f"own, {row['part']}", "label": kind} for row in rows]


def table(rows: Sequence[Row]) -> None:
    """Print one line for each source and label."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["label"], row["source"]].append(row)
        groups[row["label"], "all of them"].append(row)
    print("| label | source | rows | block | block or review |\n|---|---|---|---|---|")
    for (label, source), members in sorted(groups.items()):
        block, either = rates(verdicts(members))
        print(f"| {label} | {source} | {len(members)} | {100 * block:.1f} % | {100 * either:.1f} % |")


def disguises(rows: Sequence[Row]) -> None:
    """Print what each disguise of the poisoned rows changes."""
    poisoned = [row for row in rows if row["label"] == "poisoned"]
    plain = rates(verdicts(poisoned))
    print("\n| disguise | block | block or review | change |\n|---|---|---|---|")
    print(f"| none ({len(poisoned)} poisoned) | {100 * plain[0]:.1f} % | {100 * plain[1]:.1f} % | |")
    for name, disguise in DISGUISES.items():
        block, either = rates(verdicts(poisoned, disguise))
        change = f"{100 * (block - plain[0]):+.1f}, {100 * (either - plain[1]):+.1f}"
        print(f"| {name} | {100 * block:.1f} % | {100 * either:.1f} % | {change} |")


def show(rows: Sequence[Row], wanted: str) -> None:
    """Print the rows that are missed, or the benign ones that are found, with what was found."""
    for row, item in zip(rows, judge_definitions(map(definition, rows)), strict=True):
        benign = row["label"] == "benign"
        if (wanted == "FALSE" and benign and item.verdict != "pass") or (
            wanted == "MISSED" and not benign and item.verdict == "pass"
        ):
            found = "; ".join(f"{finding.rule} {finding.where} {finding.text}" for finding in item.findings)
            print(f"{item.verdict}\t{row['source']}\t{item.name}\t{row['description'][:200]!a}\t{found[:300]}")


def main() -> int:
    """Run as a command; the exit code is 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=ROWS)
    parser.add_argument("--no-variants", action="store_true")
    parser.add_argument("--show", choices=("MISSED", "FALSE"))
    options = parser.parse_args()
    rows: list[Row] = [*own("poisoned"), *own("benign")]
    if options.file.exists():
        rows += [json.loads(line) for line in options.file.read_text("utf-8").splitlines() if line.strip()]
    else:
        print(f"{options.file} is not there: only our own texts are judged", file=sys.stderr)
    if options.show:
        show(rows, options.show)
        return 0
    began = time.process_time()
    table(rows)
    print(f"\n{1e3 * (time.process_time() - began) / (2 * len(rows)):.2f} ms of CPU a definition")
    if not options.no_variants:
        disguises(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
