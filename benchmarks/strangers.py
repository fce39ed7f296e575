"""What becomes of packages, or needs, that nothing here was made with: each through the product, outcomes counted.

One reference (``npm:NAME``, ``pypi:NAME``) or one need in plain words a line. Each is added, or acquired, with
``--yes`` into one home; nothing is given to it. The registries of this machine have to answer.

    python benchmarks/strangers.py add REFERENCES.txt --home /tmp/strangers --out outcomes.jsonl
    python benchmarks/strangers.py acquire NEEDS.txt --home /tmp/strangers --out outcomes.jsonl
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).parent / "vsm-mcp"


def main() -> None:
    """Try each line of a file; print how often each end came, and write each to a file of its own line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=("add", "acquire"))
    parser.add_argument("lines", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=400.0, help="how long one may take")
    given = parser.parse_args()
    ends: collections.Counter[str] = collections.Counter()
    with given.out.open("a") as out:
        for line in filter(None, map(str.strip, given.lines.read_text("utf-8").splitlines())):
            began = time.monotonic()
            document = tried(given.how, line, given.home, given.seconds)
            taken = round(time.monotonic() - began, 1)
            ends[end_of(document)] += 1
            out.write(json.dumps({"tried": line, "seconds": taken, **document}) + "\n")
            out.flush()
            print(f"{taken:6.1f} s  {end_of(document):32} {line}  {document.get('server') or ''}", flush=True)
    for end, count in ends.most_common():
        print(f"{count:4}  {end}")


def tried(how: str, line: str, home: Path, seconds: float) -> dict[str, Any]:
    """Return the JSON document of one command; ``{"error": …}`` where there is none."""
    environ = {**os.environ, "VSM_MCP_HOME": str(home)}
    try:
        done = subprocess.run(
            [PROGRAM, how, line, "--yes", "--json"],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        document: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": {"code": "too_long"}}
    except ValueError:
        return {"error": {"code": "no_document"}}
    return document


def end_of(document: dict[str, Any]) -> str:
    """Return how one ended: ``served``, or the code of the reason."""
    reason = document.get("reason") or document.get("error") or {}
    return "served" if document.get("outcome") == "served" else str(reason.get("code", document.get("outcome")))


if __name__ == "__main__":
    main()
