"""How the state of one server is printed."""

from __future__ import annotations

from typing import Any

from vsm_mcp.cli import output


def show_state(document: dict[str, Any]) -> None:
    """Print ``name: state`` with the reason where there is one."""
    reason = f" ({document['reason']})" if document.get("reason") else ""
    output.line(f"{document['name']}: {document['state']}{reason}")


def reason_of(row: dict[str, Any]) -> str:
    """Return why a server is not ready; for one that is, how it ended last, if it ever ended by itself."""
    crash = row.get("crash")
    if row["reason"] or crash is None:
        return str(row["reason"])
    return f"(ended {output.when(crash['at'])}: {crash['reason']})"


def crash_lines(crash: dict[str, Any]) -> list[str]:
    """Return what is known about an end, for a person, a line each."""
    how = [f"exit code {crash['exit_code']}" if crash["exit_code"] is not None else crash["signal"]]
    how += ["out of memory"] if crash["oom"] else []
    how += [] if crash["ready"] else ["it had not come up"]
    said = [f"| {line}" for line in crash["stderr"]]
    return [f"{output.when(crash['at'])}: {crash['reason']}", ", ".join(filter(None, how)), *said]
