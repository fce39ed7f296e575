"""``vsm-mcp deny ID``: say no to what waits."""

from __future__ import annotations

from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common

_WAYS: Final = {
    "rollback": "back to the version before",
    "remove": "take the server out",
    "approve": "should you change your mind",
}


@click.command("deny")
@click.argument("name", metavar="ID")
@click.option("--item", "items", multiple=True, metavar="KEY", help="This frozen item alone, such as tool:search.")
@common
def command(session: Session, name: str, items: tuple[str, ...]) -> None:
    """Say no to what waits under ID (an upgrade's id, or the name of a server).

    An upgrade that waits is undone. What changed in a served server stays frozen, a held-back server stays out; both
    are shown as denied, and nobody is asked again unless they change once more. `rollback` and `remove` are the ways
    out.
    """
    session.show(session.run("deny", name=name, items=items), _human)


def _human(document: dict[str, Any]) -> None:
    name = document["name"]
    if document["denied"] == "upgrade":
        output.one_line(f"{name}: the upgrade was dropped; nothing of it is left")
    elif document["denied"] == "items":
        output.one_line(f"{name}: denied, stays frozen: {output.some(document['items'])}")
    else:
        output.one_line(f"{name}: denied, stays out of service")
    for way in document.get("ways", ()):
        output.one_line(f"  {_WAYS[way.split()[1]]}: {way}")
