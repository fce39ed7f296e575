"""``vsm-mcp approve ID``: let a held-back server, what changed in a served one, or an upgrade into service."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.difference_text import change_lines
from vsm_mcp.cli.servers import show_state
from vsm_mcp.cli.session import OperationFailed, Session, common
from vsm_mcp.cli.upgrade_command import code_of, show_upgrades


@click.command("approve")
@click.argument("name", metavar="ID")
@click.option("--item", "items", multiple=True, metavar="KEY", help="This frozen item alone, such as tool:search.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@common
def command(session: Session, name: str, items: tuple[str, ...], yes: bool) -> None:
    """Approve what waits under ID: the name of a server, or the id of an upgrade.

    What changed in a served server is shown, vetted again, and then pinned as it is now.
    """
    if session.interactive and not yes and not _agreed(session, name, items):
        sys.exit(1)
    document = session.run("approve", name=name, items=items)
    if "upgrades" in document:
        session.show(document, show_upgrades)
        sys.exit(code_of(document["upgrades"]))
    session.show(document, _human)


def _agreed(session: Session, name: str, items: tuple[str, ...]) -> bool:
    """Show what changed in a served server and ask; whatever else waits was shown when it began to."""
    try:
        changes = session.run("inspect", name=name)["server"]["changes"]
    except OperationFailed:
        return True  # it is no name but an id
    meant = [change for change in changes if (change["item"] in items if items else not change["denied"])]
    for change in meant:
        for line in change_lines(change):
            output.one_line(line)
    return not meant or click.confirm("approve?", default=False, err=True)


def _human(document: dict[str, Any]) -> None:
    show_state(document)
    if document["approved"]:
        output.one_line(f"  approved: {output.some(document['approved'])}")
    for warning in document["warnings"]:
        output.one_line(f"  note: {warning}", style="yellow")
