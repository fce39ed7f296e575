"""``vsm-mcp rollout list | start | promote | hold | back``: newcomers that take the calls of a server by stages."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.group("rollout")
def command() -> None:
    """Show and move rollouts: a newcomer's share of a server's calls, stage by stage."""


@command.command("list")
@common
def list_rollouts(session: Session) -> None:
    """Show the last rollout of each server: its stage, what was counted, and how it ended."""
    session.show(session.run("rollout_list"), _human)


@command.command("start")
@click.argument("rival")
@click.option("--for", "server", required=True, metavar="SERVER", help="The server whose calls it takes.")
@click.option("--tool", "tools", multiple=True, metavar="T", help="Only the calls of this tool of SERVER.")
@common
def start(session: Session, rival: str, server: str, tools: tuple[str, ...]) -> None:
    """Have server RIVAL take the calls of another server by stages, as far as its tools can do the same.

    Arguments are mapped; each answer says in _meta who gave it (vsm-mcp/served-by).
    """
    session.show(session.run("rollout_start", rival=rival, server=server, tools=tools), _one)


@command.command("promote")
@click.argument("name")
@common
def promote(session: Session, name: str) -> None:
    """Take the rollout of server NAME to its next stage now; beyond the last one it is done."""
    session.show(session.run("rollout_promote", name=name), _one)


@command.command("hold")
@click.argument("name")
@common
def hold(session: Session, name: str) -> None:
    """Keep the rollout of server NAME at its stage until it is promoted by hand.

    It is still taken back by itself where the newcomer is worse.
    """
    session.show(session.run("rollout_hold", name=name), _one)


@command.command("back")
@click.argument("name")
@common
def back(session: Session, name: str) -> None:
    """Take the rollout of server NAME back: the incumbent answers all calls again."""
    session.show(session.run("rollout_back", name=name), _one)


def rollout_line(row: dict[str, Any]) -> str:
    """Return how a rollout stands, for a person."""
    held = ", held" if row["held"] else ""
    if row["phase"] == "shadow":
        return f"{row['newcomer']} gets copies{held}"
    if row["over"]:
        return f"{row['newcomer']}: {row['phase'].replace('_', ' ')}"
    return f"{row['newcomer']} takes {row['percent']} %{held}"


def _one(row: dict[str, Any]) -> None:
    why = f" ({row['reason']})" if row["reason"] else ""
    output.line(f"{row['server']}: {rollout_line(row)}{why}")


def _human(document: dict[str, Any]) -> None:
    rows = [
        (
            row["server"],
            row["newcomer"],
            f"{row['phase'].replace('_', ' ')}{', held' if row['held'] else ''}",
            f"{row['percent']} %",
            *_counted(row["numbers"]),
            row["id"],
            row["reason"],
        )
        for row in document["rollouts"]
    ]
    output.table(("SERVER", "NEWCOMER", "PHASE", "SHARE", "CALLS", "ANSWERED", "ERRORS", "TIMES", "ID", "WHY"), rows)
    for row in document["rollouts"]:
        if any(row["mirrored"][word] for word in ("same", "different", "failed")):
            output.one_line(f"{row['server']}: {_mirrored(row['mirrored'])}")


def _counted(numbers: dict[str, Any]) -> tuple[str, ...]:
    """Return the newcomer's rates in this stage, beside the incumbent's."""
    return (
        f"{numbers['calls']}",
        f"{numbers['success']:.1%} ({numbers['incumbent_success']:.1%})",
        f"{numbers['errors']:.1%} ({numbers['incumbent_errors']:.1%})",
        f"{numbers['times']:.2f}",
    )


def _mirrored(found: dict[str, Any]) -> str:
    compared = found["same"] + found["different"]
    rate = f"{found['different'] / compared:.1%}" if compared else "-"
    places = ", ".join(
        f"{place} {count}" for place, count in sorted(found["where"].items(), key=lambda each: -each[1])[:5]
    )
    said = f"{rate} of {compared} answers to copies differ, {found['failed']} failed, {found['dropped']} were not sent"
    return f"{said} ({places})" if places else said
