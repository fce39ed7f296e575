"""``vsm-mcp health [NAME…]``: ask servers of the running daemon for a sign of life, and say how each is."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.health_text import ailment
from vsm_mcp.cli.servers import several
from vsm_mcp.cli.session import Session, common


@click.command("health")
@several
@common
def command(session: Session, names: tuple[str, ...], everything: bool, at_once: int) -> None:
    """Ask servers of the running daemon (without a name: all) for a sign of life; none is started for it.

    Beside its answer stands how each is (healthy, degraded, failing), why, and what was done about it.
    """
    everything = everything or not names
    document = session.run("bulk", what="health", names=names, everything=everything, at_once=at_once)
    known = session.run("conditions")
    how = {row["name"]: row["condition"] for row in known["servers"]}
    document["results"] = [{**row, "condition": how.get(row["name"])} for row in document["results"]]
    document["restarts"] = known["restarts"]
    session.show(document, _human)
    sys.exit(1 if document["failed"] else 0)


def _human(document: dict[str, Any]) -> None:
    output.table(("NAME", "HEALTH", "TOOK", "CONDITION", "DETAIL"), [_row(row) for row in document["results"]])
    waiting = document["restarts"]["waiting"]
    if waiting:
        output.line(f"restarts wait for each other: the next one {waiting:g} s", style="yellow")


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    how = row["condition"] or {}
    detail = "; ".join(filter(None, (row["detail"], ailment(how))))
    condition = how.get("state") or "-"
    return row["name"], "ok" if row["ok"] else "failed", f"{row['seconds']:.2f} s", condition, detail
