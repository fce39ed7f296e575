"""``vsm-mcp status``: the daemon and its servers."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.gaps_command import show_proposals
from vsm_mcp.cli.routing_text import routing_lines
from vsm_mcp.cli.servers import reason_of
from vsm_mcp.cli.session import Session, common
from vsm_mcp.model.counted import counted


@click.command("status")
@common
def command(session: Session) -> None:
    """Show the daemon, its address, the state of its servers and what each profile shows of them."""
    session.show(session.run("status"), _human)


def _human(document: dict[str, Any]) -> None:
    if document["daemon"]:
        own = document["process"]
        output.line(f"daemon: pid {document['pid']}, {document['address'] or 'no HTTP endpoint'}")
        used = [
            output.size(own["rss_bytes"]),
            counted(own["threads"], "threads"),
            counted(own["open_files"], "open files"),
        ]
        output.line(f"        {', '.join(used)}, {own['cpu_seconds']:g} s of CPU")
    else:
        output.line("daemon: not running (vsm-mcp serve starts it)")
    output.table(
        ("NAME", "STATE", "ERA", "RESTARTS", "PID", "MEMORY", "CPU", "PROCS", "FILES", "CALLS", "REASON"),
        [_row(row) for server in document["servers"] for row in (server, *server["instances"])],
    )
    output.line("")
    output.table(("PROFILE", "URL", "MODE", "SERVERS", "TOOLS"), [_profile(row) for row in document["profiles"]])
    routing_lines(document["routing"])
    for row in document["flows"]:
        output.line(f"behind {row['profile'] or '(all)'} come together: {row['text']}", style="yellow")
    asked = [row for row in document["sources"] if row["on"]]
    if asked:
        output.line("")
        output.table(("SOURCE", "STATE", "FOUND", "ASKED", "REFRESHED", "DETAIL"), [_source(row) for row in asked])
    for entry in document["mcp_servers"]:
        if entry["outcome"] != "served":
            output.line(f"mcp_servers.json: {entry['title']}: {entry['outcome']} {entry['reason']}".rstrip())
    show_proposals(document["proposals"])
    for row in document["retiring"]:
        due = output.when(row["due"])
        output.one_line(
            f"{row['name']}: nobody uses it; it is retired after {due} unless somebody does", style="yellow"
        )
    since = {name: number for name, number in document["counters"].items() if number}
    output.line("")
    output.line(f"since the start: {', '.join(f'{name} {number}' for name, number in since.items()) or 'nothing'}")


def _source(row: dict[str, Any]) -> tuple[object, ...]:
    asked, refreshed = (output.when(row[name]) if row[name] else "-" for name in ("asked", "refreshed"))
    return row["source"], row["state"] or "not asked", row["count"], asked, refreshed, row["detail"]


def _profile(row: dict[str, Any]) -> tuple[object, ...]:
    mode = f"auto: {row['listed']}" if row["mode"] == "auto" else row["mode"]
    return row["name"] or "(all)", row["url"] or "-", mode, row["servers"], row["tools"]


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    name = row.get("name") or f"  session {row['session']}"
    used = row.get("resources") or {}
    return (
        name,
        row["state"],
        row.get("era") or "-",
        row["restarts"],
        row["pid"] or "-",
        output.size(used.get("rss_bytes")),
        "-" if used.get("cpu_share") is None else f"{used['cpu_share']:.1%}",
        used.get("processes") or "-",
        used.get("open_files") or "-",
        row["counters"]["calls"] if "counters" in row else "-",
        reason_of(row),
    )
