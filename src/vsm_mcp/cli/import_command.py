"""``vsm-mcp import FILE``: the servers that a file of another program asks for."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vsm_mcp.cli import taking_in
from vsm_mcp.cli.session import Session, common
from vsm_mcp.discovery.files.clients import CLIENTS, files_of
from vsm_mcp.discovery.files.places import Places, project_folders
from vsm_mcp.errors import BadArgument


@click.command("import")
@click.argument("file")
@click.argument("titles", nargs=-1, metavar="[SERVER]...")
@click.option("--dry-run", is_flag=True, help="Only show what it would add.")
@click.option("--yes", is_flag=True, help="Agree to what the policy asks about; do not ask for each server.")
@common
def command(session: Session, file: str, titles: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Add the servers that FILE asks for, or those of them that are named.

    FILE is the settings of a client (JSON, TOML or YAML), an mcp.json, or a kit; or the name of a client whose settings
    are where they belong: claude-desktop, claude-code, vscode, cursor, codex, gemini-cli, windsurf, zed, opencode,
    goose, cline, kiro. Nothing in it is run as it stands: what it fetches with npx or uvx becomes a reference with one
    version, and each server goes the whole way of vsm-mcp add. The file is only read.
    """
    path = _path(session, file)
    found = taking_in.chosen(taking_in.asked(session, taking_in.read_file(path), path, titles), titles)
    if dry_run:
        session.show(taking_in.shown(found), taking_in.show_plan)
        return
    sys.exit(taking_in.take_in(session, found, yes=yes))


def _path(session: Session, file: str) -> Path:
    if file not in CLIENTS or Path(file).exists():
        return Path(file).expanduser()
    places = Places(session.config.environ)
    candidates = [path for path, _ in files_of(CLIENTS[file], places, project_folders(places))]
    there = next((path for path in candidates if path.exists()), None)
    if there is None:
        raise BadArgument(f"{file} has no settings on this machine", f"looked at {', '.join(map(str, candidates))}")
    return there
