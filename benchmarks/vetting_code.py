"""What the checks before an installation say of real packages, and how long they take: seconds, a line a reference.

``python benchmarks/vetting_code.py npm:NAME@VERSION pypi:NAME==VERSION … [--file LINES.jsonl]`` fetches each
(nothing is run or installed) and vets it. A line of the file is a JSON object with a ``ref``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from vsm_mcp.app import App
from vsm_mcp.config import load
from vsm_mcp.errors import VsmError


def references(words: list[str]) -> list[str]:
    """Return the references that the arguments name."""
    if "--file" not in words:
        return words
    place = words.index("--file")
    lines = Path(words[place + 1]).read_text("utf-8").splitlines()
    found = [json.loads(line)["ref"] for line in lines if line.strip()]
    return list(dict.fromkeys([*words[:place], *words[place + 2 :], *found]))


async def main(words: list[str]) -> None:
    """Vet each reference in a home of its own and print what came of it."""
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as home:
        async with App.open(load(Path(home)), for_operation="vet") as app:
            print(f"{'VERDICT':11} {'RESOLVE':>8} {'FETCH':>6} {'VET':>6} {'FILES':>6}  REF")
            for ref in references(words):
                try:
                    body = json.dumps({"ref": ref}).encode()
                    found = await app.operate("vet", body)
                except VsmError as error:
                    print(f"{'-':11} {'-':>8} {'-':>6} {'-':>6} {'-':>6}  {ref}: {error.message}")
                    continue
                verdict = found["judgement"]
                counts[verdict] = counts.get(verdict, 0) + 1
                files = sum(check["looked_at"] for check in found["checks"] if check["check"] == "code")
                took = found["seconds"]
                times = f"{took['resolve']:8.1f} {took['fetch']:6.1f} {took['vet']:6.2f}"
                counted = [reason for reason in found["reasons"] if "could not look" not in reason]
                print(f"{verdict:11} {times} {files:6}  {ref}", *counted[:3], sep="  ", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
