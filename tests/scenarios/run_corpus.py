"""Takes real servers through the whole way and prints a table: ``run_corpus.py [SERVERS.jsonl] [--third N]``.

Each record has a home and a daemon of its own. It is added by reference with its arguments and environment
(``vsm-mcp add REF --yes``), called through the gateway with the MCP Python SDK, its answer compared, and removed;
records that cannot work must end with a cause and a hint. Nothing may be left on disk or running.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mcp import Client
from tests.scenarios.homes import Home

SHARED = Path(os.environ.get("VSM_MCP_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
FILES = (SHARED / "servers.jsonl", SHARED / "no_call.jsonl")
SECONDS = 180
PORT = 18999


@dataclass
class Row:
    """What happened to one record."""

    id: str
    ok: bool
    seconds: float
    tier: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'} {self.id:<46} {self.seconds:6.1f} s  {self.tier:<5} {self.note[:400]}"


def records(path: Path, third: int | None = None, only: str = "") -> list[dict[str, Any]]:
    """Return the records of a file: all, or every third from ``third`` on, or those whose id contains ``only``."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if only:
        found = [record for record in found if only in record["id"]]
    return found if third is None else found[third::3]


def filled(value: Any, work: Path) -> Any:
    """Return a value of a record with ``{work}`` replaced."""
    if isinstance(value, str):
        return value.replace("{work}", str(work))
    if isinstance(value, list):
        return [filled(item, work) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, work) for key, item in value.items()}
    return value


def options(record: dict[str, Any], work: Path) -> list[str]:
    """Return the options of ``add`` for a record."""
    words = [f"--arg={arg}" for arg in filled(record["args"], work)]
    words += [f"--env={name}={value}" for name, value in filled(record["env"], work).items()]
    words += ["--allow-path", f"{work}:rw", "--cwd", str(work)]
    if record.get("allow_scripts"):
        words.append("--allow-scripts")
    if "internet" in record.get("needs", ""):
        words += ["--allow-host", f"127.0.0.1:{PORT}"]
    return words


def try_record(record: dict[str, Any], base: Path) -> Row:
    """Take one record through the whole way in a home of its own; say whether it ended as it should."""
    work, home = base / f"{record['id']}-work", Home(base / f"{record['id']}-home")
    subprocess.run([sys.executable, str(SHARED / "make_fixtures.py"), str(work)], check=True, capture_output=True)
    began = time.monotonic()
    try:
        with serving(work) if str(PORT) in json.dumps(record) else nullcontext():
            address = home.serve()
            done = home.run("add", record["ref"], "--yes", *options(record, work), timeout=SECONDS)
            reason = done.document.get("reason") or done.document.get("error") or {}
            note = f"exit {done.code}; {reason.get('code')}: {reason.get('message')} | {reason.get('hint')}"
            if done.document.get("outcome") != "served":
                fine = not record.get("starts", True) and bool(reason.get("message") and reason.get("hint"))
                row = Row(record["id"], fine, 0, note=note)
            elif "call" not in record:
                row = Row(record["id"], True, 0, done.document["tier"])
            else:
                wrong = asyncio.run(wrong_answer(record, address, done.document["tools"], work))
                row = Row(record["id"], not wrong, 0, done.document["tier"], wrong)
        row.seconds = time.monotonic() - began
        home.run("remove", done.document.get("server") or "nobody")
    except (subprocess.TimeoutExpired, AssertionError, OSError, ExceptionGroup) as error:
        row = Row(record["id"], False, time.monotonic() - began, note=f"{type(error).__name__}: {error}")
    try:
        home.close()
    except subprocess.TimeoutExpired:
        row.ok, row.note = False, f"its daemon does not stop; {row.note}"
    return without_remains(row, home)


async def wrong_answer(record: dict[str, Any], address: str, tools: list[str], work: Path) -> str:
    """Make the calls of a record through the gateway; return what was wrong with the last answer, or nothing."""
    async with Client(address) as client:
        for call in [*record.get("before", []), record["call"]]:
            name = next(tool for tool in tools if tool.endswith(f"__{call['name']}"))
            result = await client.call_tool(name, filled(call["arguments"], work), read_timeout_seconds=90)
    text = "\n".join(getattr(block, "text", "") for block in result.content)
    whole = text + result.model_dump_json()
    right = bool(re.search(record["expect"], whole)) if record.get("regex") else record["expect"] in whole
    return "" if right else f"wrong answer: {text[:300]}"


def without_remains(row: Row, home: Home) -> Row:
    """Return the row, failed if anything is left on disk or running."""
    if left := home.left():
        row.ok, row.note = False, f"left on disk: {left[:3]}; {row.note}"
    if running := home.processes():
        row.ok, row.note = False, f"left running: {running}; {row.note}"
    return row


class serving:  # noqa: N801 - reads as a statement
    """Serves a folder over HTTP on loopback while a record is tried (one record fetches a page)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_words: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", PORT), partial(Quiet, directory=str(self._folder)))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> int:
    """Run the corpus and print the table; return 0 when every record ended as it should."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--third", type=int, default=None)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="vsm-corpus-") as base:
        for path in given.files or FILES:
            for record in records(path, given.third, given.only):
                rows.append(try_record(record, Path(base)))
                print(rows[-1], flush=True)
    slowest = max((row.seconds for row in rows), default=0)
    print(f"{sum(row.ok for row in rows)} of {len(rows)} as they should; slowest {slowest:.0f} s")
    return 0 if rows and all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
