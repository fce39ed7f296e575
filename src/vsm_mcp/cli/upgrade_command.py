"""``vsm-mcp upgrade NAME``: a newer version of a server, shown as a difference before it takes the old one's place."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.difference_text import difference_lines
from vsm_mcp.cli.session import Session, common, exit_code
from vsm_mcp.errors import BadArgument

_STAYS: Final = ("failed", "rejected")
_WELL: Final = ("upgraded", "current", "restored")
_HELD: Final = ("waiting", "rejected")


@click.command("upgrade")
@click.argument("names", metavar="NAME", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every server of the catalogue, one after the other.")
@click.option("--to", default="", metavar="VERSION", help="This version, be it newer or older.")
@click.option("--yes", is_flag=True, help="Agree to the difference.")
@common
def command(session: Session, names: tuple[str, ...], everything: bool, to: str, yes: bool) -> None:
    """Look for a newer version of server NAME, and put it into service.

    It is vetted and tried beside the one that serves. What differs (tools, permissions, dependencies, size, licence) is
    shown, and on a terminal you are asked; elsewhere it waits for vsm-mcp approve ID.
    """
    if not names and not everything:
        raise BadArgument("no server is named", "name one, or say --all")
    document = session.run("upgrade", names=names, everything=everything, to=to, yes=yes)
    if session.interactive:
        document["upgrades"] = [_answered(session, row) for row in document["upgrades"]]
    session.show(document, show_upgrades)
    sys.exit(code_of(document["upgrades"]))


def _answered(session: Session, row: dict[str, Any]) -> dict[str, Any]:
    if row["outcome"] != "waiting":
        return row
    show_difference(row)
    output.note(row["reason"]["message"], style="bold")
    if click.confirm(f"put {row['name']} {row['version']['to']} into service?", default=False, err=True):
        (done,) = session.run("approve", name=row["evidence"])["upgrades"]
        return {**done, "difference": None}  # it was shown
    session.run("deny", name=row["evidence"])
    reason = {"code": "denied", "message": "you said no: nothing has changed", "hint": ""}
    return {**row, "outcome": "rejected", "reason": reason, "difference": None}


def show_difference(row: dict[str, Any]) -> None:
    """Print what would change for one server."""
    output.one_line(f"{row['name']}: {row['ref']}", style="bold")
    for line in difference_lines(row["difference"]):
        output.one_line(f"  {line}")


def show_upgrades(document: dict[str, Any]) -> None:
    """Print what became of each server."""
    for row in document["upgrades"]:
        if row["difference"]:
            show_difference(row)
        versions = row["version"]
        moved = f" ({versions['from']} -> {versions['to']})" if row["outcome"] != "current" else ""
        moved = f", stays at {versions['from']}" if row["outcome"] in _STAYS else moved
        style = "green" if row["outcome"] in _WELL else "red"
        reason = row["reason"] or {}
        output.one_line(f"{row['name']}: {row['outcome']}{moved}{_because(reason)}", style=style)
        for warning in row["warnings"]:
            output.one_line(f"  note: {warning}", style="yellow")


def _because(reason: dict[str, Any]) -> str:
    said = f": {reason['message']}" if reason.get("message") else ""
    return f"{said} ({reason['hint']})" if reason.get("hint") else said


def code_of(rows: list[dict[str, Any]]) -> int:
    """Return the exit code: 3 where something waits or was refused, that of the first failure, else 0."""
    if any(row["outcome"] in _HELD for row in rows):
        return 3
    failed = [row for row in rows if row["outcome"] not in _WELL]
    return exit_code(str((failed[0]["reason"] or {}).get("code", ""))) if failed else 0
