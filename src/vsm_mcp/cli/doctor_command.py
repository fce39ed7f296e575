"""``vsm-mcp doctor``: what this machine gives, why, and what would improve it."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


@click.command("doctor")
@common
def command(session: Session) -> None:
    """Check the home, the sandbox, the tools and the registries of this machine."""
    document = session.run("doctor")
    session.show(document, _human)
    sys.exit(0 if document["healthy"] else 1)


def _human(document: dict[str, Any]) -> None:
    for check in document["checks"]:
        style = {"ok": "green", "warn": "yellow", "fail": "red"}[check["state"]]
        output.line(f"{_MARKS[check['state']]} {check['name']:<12} {check['detail']}", style=style)
        for remedy in check["remedies"]:
            output.line(f"  {'':<12} → {remedy}")  # more lines of one stay at the left, to be copied
