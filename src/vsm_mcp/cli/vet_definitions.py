"""``vsm-mcp vet --definitions FILE``: judge tool definitions alone, without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.counted import counted
from vsm_mcp.vetting.definitions import MAX_BYTES, judge_definitions, read_definitions


def show_definitions(session: Session, file: str) -> set[str]:
    """Judge the definitions in ``file`` and show what was found; return the verdicts there were."""
    judged = judge_definitions(read_definitions(_read(file)))
    session.show({"items": [msgspec.to_builtins(item) for item in judged]}, _human)
    return {item.verdict for item in judged}


def _read(file: str) -> str:
    try:
        if file == "-":
            data = _bounded(sys.stdin.buffer)
        else:
            with Path(file).expanduser().open("rb") as stream:
                data = _bounded(stream)
    except OSError as error:
        raise BadArgument(
            f"{file} cannot be read: {error.strerror}", "name a file that is there, or - for stdin"
        ) from (error)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadArgument(f"{file} is not UTF-8 text", "definitions are JSON, and JSON is UTF-8") from error


def _bounded(stream: BinaryIO) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadArgument(f"more than {MAX_BYTES >> 20} MiB of definitions", "split them into several files")
    return data


def _human(document: dict[str, Any]) -> None:
    rows = [
        (item["verdict"], item["name"], finding["rule"], finding["severity"], finding["where"], finding["text"])
        for item in document["items"]
        for finding in item["findings"] or [{"rule": "", "severity": "", "where": "", "text": ""}]
    ]
    output.table(("VERDICT", "NAME", "RULE", "SEVERITY", "WHERE", "TEXT"), rows, wide=5)
    verdicts = [item["verdict"] for item in document["items"]]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("block", "review", "pass"))
    output.note(f"{counted(len(verdicts), 'definitions')}: {counts}")
