"""``vsm-mcp acquire NEED``: from a need in plain words to a served server."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli.asking import admit, show_outcome
from vsm_mcp.cli.method_option import kind_of, method_option
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.settings_options import settings_from, settings_options
from vsm_mcp.cli.wants_options import wants_from, wants_options


@click.command("acquire")
@click.argument("need", nargs=-1, required=True)
@settings_options
@method_option
@wants_options
@click.option("--tries", type=click.IntRange(1, 10), default=3, show_default=True, help="Candidates to try at most.")
@common
def command(
    session: Session, need: tuple[str, ...], name: str, yes: bool, tries: int, method: str, **options: Any
) -> None:
    """Find, vet, install, try and serve the best server for NEED."""
    wants = wants_from(options) | {"method": kind_of(method), "asks": session.interactive}
    settings = settings_from(options, interactive=session.interactive)
    params = {"need": " ".join(need), "name": name, "yes": yes, "tries": tries, "settings": settings, "wants": wants}
    sys.exit(show_outcome(session, admit(session, "acquire", params)))
