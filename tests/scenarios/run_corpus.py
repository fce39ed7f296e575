"""Takes real servers through the whole way and prints a table: ``run_corpus.py [SERVERS.jsonl] [--third N]``.

Each record is added by reference with its arguments and environment (``vsm-mcp add REF --yes``), called through the
gateway (``vsm-mcp call``), and its answer compared; records that cannot work must fail with a cause and a hint.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).parent / "vsm-mcp")
SHARED = Path(os.environ.get("VSM_MCP_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
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
    document: dict[str, Any] = field(default_factory=dict)


def records(path: Path, third: int | None = None, only: str = "") -> list[dict[str, Any]]:
    """Return the records of a file: all, or every third from ``third`` on, or those whose id contains ``only``."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if only:
        found = [record for record in found if only in record["id"]]
    return found if third is None else found[third::3]


def fixtures(folder: Path) -> None:
    """Write the input files that the calls read."""
    subprocess.run([sys.executable, str(SHARED / "make_fixtures.py"), str(folder)], check=True, capture_output=True)


def filled(value: Any, work: Path) -> Any:
    """Return a value of a record with ``{work}`` replaced."""
    if isinstance(value, str):
        return value.replace("{work}", str(work))
    if isinstance(value, list):
        return [filled(item, work) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, work) for key, item in value.items()}
    return value


def run(home: Path, *words: str, timeout: float = SECONDS) -> tuple[int, dict[str, Any], str]:
    """Run a command with ``--json``; return its exit code, document and stderr."""
    done = subprocess.run(
        [PROGRAM, *words, "--json"],
        env={**os.environ, "VSM_MCP_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = {}
    return done.returncode, document, done.stderr.decode("utf-8", "replace")


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
    """Add one record and, where it has a call, make it and compare the answer."""
    began = time.monotonic()
    work, home = base / f"{record['id']}-work", base / f"{record['id']}-home"
    fixtures(work)
    with serving(work) if str(PORT) in json.dumps(record) else nullcontext():
        code, document, stderr = run(home, "add", record["ref"], "--yes", *options(record, work))
        seconds = time.monotonic() - began
        if "call" not in record:
            return judged_start(record, document, code, seconds, stderr, home)
        if document.get("outcome") != "served":
            reason = document.get("reason") or document.get("error") or {"message": stderr[-300:]}
            return Row(
                record["id"], False, seconds, note=f"{reason.get('code')}: {reason.get('message')}", document=document
            )
        answer = ""
        for call in [*record.get("before", []), record["call"]]:
            name = next((tool for tool in document["tools"] if tool.endswith(f"__{call['name']}")), call["name"])
            arguments = json.dumps(filled(call["arguments"], work))
            _, result, stderr = run(home, "call", name, "--args", arguments, timeout=90)
            answer = json.dumps(result, ensure_ascii=False)
        seconds = time.monotonic() - began
    text = "\n".join(block.get("text", "") for block in result.get("content", []))
    whole = text + answer
    right = bool(re.search(record["expect"], whole)) if record.get("regex") else record["expect"] in whole
    leftovers = remove(home, document["server"])
    note = "" if right and not leftovers else leftovers or f"wrong answer: {answer[:300]}"
    return Row(record["id"], right and not leftovers, seconds, document["tier"], note, document)


def judged_start(
    record: dict[str, Any], document: dict[str, Any], code: int, seconds: float, stderr: str, home: Path
) -> Row:
    """Judge a record that has no call: it starts, or it fails with a cause and a hint and leaves nothing."""
    reason = document.get("reason") or document.get("error") or {}
    note = f"{reason.get('code')}: {reason.get('message')} | {reason.get('hint')}" if reason else stderr[-200:]
    if document.get("outcome") == "served":
        fine = bool(record["starts"]) or "python-sdk" in (record.get("failure") or {}).get("kind", "")
        return Row(record["id"], fine, seconds, document["tier"], note, document)
    left = [str(path) for path in (home / "installations").glob("*")] if (home / "installations").exists() else []
    fine = not record["starts"] and bool(reason.get("message")) and "Traceback" not in stderr and not left
    return Row(record["id"], fine, seconds, "", f"exit {code}; {note}{' LEFT ' + str(left) if left else ''}", document)


def remove(home: Path, server: str) -> str:
    """Remove a server and return what is left of it on disk, or an empty string."""
    run(home, "remove", server)
    left = list((home / "installations").glob("*/*")) if (home / "installations").exists() else []
    return f"left on disk: {left}" if left else ""


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
    parser.add_argument("files", nargs="*", type=Path, default=[SHARED / "servers.jsonl", SHARED / "no_call.jsonl"])
    parser.add_argument("--third", type=int, default=None)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="vsm-corpus-"))
    rows: list[Row] = []
    for path in given.files or [SHARED / "servers.jsonl", SHARED / "no_call.jsonl"]:
        for record in records(path, given.third, given.only):
            try:
                row = try_record(record, base)
            except subprocess.TimeoutExpired as error:
                row = Row(record["id"], False, SECONDS, note=f"no end within {error.timeout} s")
            rows.append(row)
            print(
                f"{'ok  ' if row.ok else 'FAIL'} {row.id:<46} {row.seconds:6.1f} s  {row.tier:<10} {row.note[:400]}",
                flush=True,
            )
            if not given.keep:
                shutil.rmtree(base / f"{record['id']}-home", ignore_errors=True)
    print(
        f"{sum(row.ok for row in rows)} of {len(rows)} as they should; slowest {max(row.seconds for row in rows):.0f} s"
    )
    if not given.keep:
        shutil.rmtree(base, ignore_errors=True)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
