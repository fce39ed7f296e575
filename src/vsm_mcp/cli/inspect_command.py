"""``vsm-mcp inspect NAME``: everything known about one server."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("inspect")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Show one server: its installation, launch, permissions, state, tools and last words."""
    session.show(session.run("inspect", name=name), _human)


def _human(document: dict[str, Any]) -> None:
    server = document["server"]
    for key, value in server.items():
        if key == "sandbox":
            output.line(f"{key:<14}{value['tier']}")
            for name, state in value["properties"].items():
                output.line(f"{'':<14}{name}: {state}")
        elif isinstance(value, list):
            output.line(f"{key:<14}{', '.join(str(item) for item in value) or '-'}")
        elif isinstance(value, dict):
            output.line(f"{key:<14}{', '.join(f'{k}={v}' for k, v in value.items()) or '-'}")
        else:
            output.line(f"{key:<14}{value if value not in ('', None) else '-'}")
