"""``vsm-mcp inspect NAME``: everything known about one server."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.cli.session import Session, common


@click.command("inspect")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Show one server: its installation, launch, permissions, state, tools and last words."""
    session.show(session.run("inspect", name=name), _human)


def _human(document: dict[str, Any]) -> None:
    for key, value in document["server"].items():
        if key == "sandbox":
            output.line(f"{key:<14}{value['tier']}")
            for name, state in value["properties"].items():
                output.line(f"{'':<14}{name}: {state}")
        elif key == "plan":
            output.line(f"{key:<14}" + f"\n{'':<14}".join(plan_lines(value)))
        else:
            output.line(f"{key:<14}{_shown(key, value) or '-'}")


def _shown(key: str, value: object) -> str:
    if key == "since" and isinstance(value, float):
        return output.when(value)
    if key in ("idle_stop", "session_idle") and isinstance(value, (int, float)):
        return f"after {value:g} s without use" if value else "never"
    if key == "tools" and isinstance(value, list):
        return output.some([str(name) for name in value])
    if key == "stderr" and isinstance(value, (list, tuple)):
        return f"\n{'':<14}".join(map(str, value))
    if key == "instances" and isinstance(value, (list, tuple)):
        return f"\n{'':<14}".join(f"{item['session']} {item['state']}, pid {item['pid'] or '-'}" for item in value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
