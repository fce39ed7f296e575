"""``vsm-mcp export``: the servers of the catalogue in the form that clients read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.errors import HomeError
from vsm_mcp.model.kit import client_entry
from vsm_mcp.model.secretive import holds_secret


@click.command("export")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write it to this file.")
@common
def command(session: Session, names: tuple[str, ...], file: Path | None) -> None:
    """Write the servers (all, or those named) as an mcp.json, for programs that start servers themselves.

    Packages are named with their version. No secret is written: ${NAME} stands in its place. What starts them so starts
    them without the sandbox; vsm-mcp import reads the file again.
    """
    entries = session.run("export", names=names)["servers"]
    warn(entries)
    document = {"mcpServers": {name: client_entry(entry) for name, entry in entries.items()}}
    put(session, document, file)


def put(session: Session, document: dict[str, Any], file: Path | None) -> None:
    """Write a document to a file, or print it. Raises :class:`HomeError`."""
    if file is None:
        session.show(document, lambda shown: click.echo(output.clean(json.dumps(shown, indent=2))))
        return
    try:
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise HomeError(f"{file} cannot be written: {error.strerror}", "give another file") from error
    session.show({"file": str(file)}, lambda shown: output.line(f"written: {shown['file']}"))


def warn(entries: dict[str, Any]) -> None:
    """Tell the person of arguments that look as if they held a secret: they are written as they are."""
    for name, entry in entries.items():
        if holds_secret([entry.get("command", ""), *entry.get("args", ())]):
            output.note(
                f"{name}: its arguments look as if they held a secret; they are written as they are", style="yellow"
            )
